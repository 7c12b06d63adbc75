import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CsvRecord, csvLine, csvRecords } from "./imports.reader.ts";

/** Reads a text that arrives in pieces cut at these places. */
const read = async (text: string, cuts: number[] = []): Promise<CsvRecord[]> => {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b), text.length];
  async function* chunks() {
    for (const [i, place] of places.slice(1).entries()) yield text.slice(places[i], place);
  }
  return (await Array.fromAsync(csvRecords(chunks()))).flat();
};

const field = fc.string({ unit: fc.constantFrom("a", "é", "😀", '"', ",", "\n", "\r", " "), maxLength: 8 });
const records = fc.array(fc.array(field, { minLength: 2, maxLength: 5 }), { maxLength: 12 });

test("what was written as CSV is read as it was, wherever the chunks of it end", async () => {
  await fc.assert(
    fc.asyncProperty(records, fc.array(fc.nat(), { maxLength: 6 }), async (rows, cuts) => {
      const found = await read(rows.map(csvLine).join(""), cuts);
      assert.deepEqual(
        found.map(({ fields }) => fields),
        rows,
      );
    }),
  );
});

test("files of Windows, of Excel and without a last line break read alike", async () => {
  for (const text of ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "\uFEFFa,b\n1,2", '"a",b\r\n1,"2"', "a,b\n\n1,2\n\n"]) {
    assert.deepEqual(
      (await read(text)).map(({ fields }) => fields),
      [
        ["a", "b"],
        ["1", "2"],
      ],
    );
  }
});

test("a line break in quotes does not shift the numbers of the lines after it", async () => {
  assert.deepEqual(
    (await read('a,b\n"1\n2",x\n3,y\n')).map(({ line }) => line),
    [1, 2, 4],
  );
});

test("an inch sign in a description is no quote", async () => {
  assert.deepEqual((await read('1,RULER 12" LONG,2\n'))[0]?.fields, ["1", 'RULER 12" LONG', "2"]);
});

test("a quote that is never closed costs its own line, not the rest of the file", async () => {
  const found = await read(`1,"oops,2\n${"3,4,5\n".repeat(20_000)}`, [1_000, 50_000, 90_000]);
  assert.equal(found.length, 20_001);
  assert.match(found[0]?.broken ?? "", /never closed/);
  assert.equal(found.filter(({ broken }) => broken).length, 1);
  assert.equal((await read('1,"a"b,2\n3,4,5\n'))[0]?.broken, "text stands after a closing quote");
});
