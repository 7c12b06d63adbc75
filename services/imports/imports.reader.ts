/** One record of a CSV file: the number of the line that it begins on, and its fields, or why it is none. */
export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
  readonly broken?: string;
}

const LONGEST = 65_536; // characters of a record: a quote that is never closed costs its own line, not the rest of the file

/**
 * Reads CSV as RFC 4180 has it (quotes, doubled quotes, line breaks within quotes, CRLF or LF, a byte order mark), a
 * batch of records for each chunk of text. A record that cannot be read comes as `broken`, and the next line goes on.
 */
export async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<CsvRecord[]> {
  let rest = "";
  let line = 1;
  for await (const chunk of chunks) {
    const text = rest + (line === 1 && rest === "" ? chunk.replace(/^\uFEFF/, "") : chunk);
    const read = readRecords(text, line, false);
    yield read.records;
    rest = text.slice(read.next);
    line = read.line;
  }
  if (rest !== "") yield readRecords(`${rest}\n`, line, true).records;
}

const readRecords = (text: string, firstLine: number, last: boolean) => {
  const records: CsvRecord[] = [];
  let line = firstLine;
  let next = 0;
  let quote = text.indexOf('"');
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", next)) {
    if (quote >= 0 && quote < next) quote = text.indexOf('"', next);
    if (quote < 0 || quote > end) {
      const record = text.slice(next, text[end - 1] === "\r" && end > next ? end - 1 : end);
      if (record !== "") records.push({ line, fields: record.split(",") }); // without a quote, a comma is a comma
      next = end + 1;
      line++;
      continue;
    }
    const scanned = scan(text, next);
    if (scanned === "open" && !last && text.length - next < LONGEST) break; // its end is in the next chunk
    if (typeof scanned === "string") {
      const broken = scanned === "open" ? "a quote is never closed" : "text stands after a closing quote";
      records.push({ line, fields: text.slice(next, end).split(","), broken });
      next = end + 1;
      line++;
    } else {
      records.push({ line, fields: scanned.fields });
      for (let at = next; at < scanned.next; at = text.indexOf("\n", at) + 1) line++;
      next = scanned.next;
    }
  }
  return { records, next, line };
};

/** One record with quotes in it, character by character where it must be. */
const scan = (text: string, from: number): { fields: string[]; next: number } | "open" | "wrong" => {
  const fields: string[] = [];
  for (let at = from; ; at++) {
    let field = "";
    let end = at;
    if (text[at] === '"') {
      for (let start = at + 1; ; start = end + 2) {
        end = text.indexOf('"', start);
        if (end < 0 || end + 1 === text.length) return "open";
        field += text.slice(start, end);
        if (text[end + 1] !== '"') break;
        field += '"';
      }
      end++;
      if (text[end] === "\r" && text[end + 1] === "\n") end++;
    } else {
      while (end < text.length && text[end] !== "," && text[end] !== "\n") end++;
      field = text.slice(at, text[end] === "\n" && text[end - 1] === "\r" && end > at ? end - 1 : end);
    }
    if (end >= text.length) return "open";
    if (text[end] !== "," && text[end] !== "\n") return "wrong";
    fields.push(field);
    if (text[end] === "\n") return { fields, next: end + 1 };
    at = end;
  }
};

/** One record as text, with its line break. */
export const csvLine = (fields: readonly string[]): string =>
  `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",")}\n`;
