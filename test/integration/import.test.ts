import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sampleBooks } from "../../services/imports/imports.sample.ts";
import { folder, run } from "../support/system.ts";

const COMMAND = "services/imports/import.command.ts";

/** What the table says: `{ deals: "120 57,380.95", … }`. */
const tableOf = (text: string) =>
  Object.fromEntries(
    text
      .split("\n")
      .map((line) => line.split(/ {2,}/))
      .filter(({ length }) => length > 1),
  );

test("a file reads the same as it is, packed with gzip or zstd, under any name, and from standard input", async (t) => {
  const dir = folder(t);
  const books = sampleBooks({ lines: 300 });
  const packed = {
    "books.csv": books,
    "books.csv.gz": gzipSync(books),
    "books.csv.zst": zstdCompressSync(books),
    books: zstdCompressSync(books),
  };
  const from = async (args: string[], input = "") => {
    const { code, stdout, stderr } = await run([COMMAND, "--dry-run", ...args], { DATA_DIR: dir }, input);
    assert.equal(code, 0, stderr);
    return { ...tableOf(stdout), seconds: "", "most memory, MB": "" };
  };
  const piped = await from(["-"], books);
  assert.match(JSON.stringify(piped), /"deals":"\d+"/);
  for (const [name, bytes] of Object.entries(packed)) {
    writeFileSync(join(dir, name), bytes);
    assert.deepEqual(await from([join(dir, name)]), piped, name);
  }
});

test("the bookkeeper gets back each line that was left out, with its number and what is wrong with it", async (t) => {
  const dir = folder(t);
  const [header, first, second] = sampleBooks({ lines: 100 }).split("\n");
  const rejects = join(dir, "bad.csv");
  const books = [header, first, '7,X,"BOX, RED",many,2011-01-04,1,,UK', second, ""].join("\n");
  const { code, stdout } = await run([COMMAND, "-", "--dry-run", "--rejects", rejects], {}, books);
  assert.deepEqual([code, tableOf(stdout).rejects], [0, "1"]);
  assert.equal(
    readFileSync(rejects, "utf8"),
    `line,reason,${header}\n3,"the quantity is no number with at most 4 decimals: ""many""",7,X,"BOX, RED",many,2011-01-04,1,,UK\n`,
  );
});

test("the file that is imported is not taken for its own rejects, and an import that fails leaves older rejects as they were", async (t) => {
  const dir = folder(t);
  const [books, rejects] = [join(dir, "books.csv"), join(dir, "bad.csv")];
  writeFileSync(books, sampleBooks({ lines: 10 }));
  const before = readFileSync(books, "utf8");
  const { code, stderr } = await run([COMMAND, books, "--dry-run", "--rejects", books]);
  assert.deepEqual([code, readFileSync(books, "utf8")], [2, before]);
  assert.match(stderr, /^--rejects names the file that is imported/);
  writeFileSync(rejects, "of last time");
  writeFileSync(books, "");
  await run([COMMAND, books, "--dry-run", "--rejects", rejects]);
  assert.equal(readFileSync(rejects, "utf8"), "of last time");
});

test("what cannot be imported is said in one line: no such file, no such option, other columns, a torn archive", async (t) => {
  const dir = folder(t);
  const torn = join(dir, "torn.csv.gz");
  writeFileSync(torn, gzipSync(sampleBooks({ lines: 300 })).subarray(0, 500));
  const saysWhy = async (args: string[], why: RegExp, input = "") => {
    const { code, stderr } = await run([COMMAND, ...args], {}, input);
    assert.deepEqual([code, why.test(stderr)], [2, true], stderr);
    assert.doesNotMatch(stderr, /^ {4}at /m);
  };
  await saysWhy(["nowhere.csv"], /^There is no file nowhere.csv\n$/);
  await saysWhy(["--wet-run"], /--wet-run.*npm run import/s);
  await saysWhy(["-", "--dry-run"], /names no column StockCode/, "InvoiceNo,Sku\n1,2\n");
  await saysWhy(["-", "--dry-run"], /the file is empty/);
  await saysWhy([torn, "--dry-run"], /cannot be unpacked/);
  const { code, stdout } = await run([COMMAND, "--help"]);
  assert.deepEqual([code, stdout.startsWith("npm run import -- FILE")], [0, true]);
});
