import { createHash, type Hash } from "node:crypto";
import { closeSync, createReadStream, createWriteStream, openSync, readSync, rmSync, statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";

const CHUNK = 1 << 18;

/** A file that can be read as often as one likes, packed or not: what its first bytes say counts, not its name. */
export interface Source {
  /** Bytes on the disk. */
  readonly size: number;
  /** Its text, from the beginning, in chunks. `seen` hears after each how many bytes of the disk have been read. */
  read(seen?: (bytes: number) => void): AsyncGenerator<string>;
  /** What its text is, in 16 hex digits, once it has been read to its end; the same whether packed or not. */
  digest(): string;
  close(): void;
}

export const fileSource = (path: string): Source => {
  const size = statSync(path).size;
  let digest = "";
  return {
    size,
    async *read(seen) {
      const file = createReadStream(path, { highWaterMark: CHUNK });
      const unpack = unpackerOf(path);
      const hash = createHash("sha256");
      const decoder = new TextDecoder();
      // An error of the file must reach whoever reads the unpacked text, and an end of reading must close the file: `pipeline` does both.
      const done = unpack ? pipeline(file, unpack) : undefined;
      done?.catch(() => {});
      for await (const bytes of unpack ?? file) {
        if (digest === "") hash.update(bytes);
        yield decoder.decode(bytes, { stream: true });
        seen?.(file.bytesRead);
      }
      await done;
      yield decoder.decode();
      digest ||= digestOf(hash);
    },
    digest: () => digest,
    close() {},
  };
};

/** A text that is at hand already. */
export const textSource = (text: string): Source => ({
  size: Buffer.byteLength(text),
  async *read(seen) {
    for (let at = 0; at < text.length; at += CHUNK) yield text.slice(at, at + CHUNK);
    seen?.(this.size);
  },
  digest: () => digestOf(createHash("sha256").update(text)),
  close() {},
});

/** Standard input cannot be read twice: it goes into a file of its own first, which `close` takes away. */
export const spooledSource = async (input: NodeJS.ReadableStream): Promise<Source> => {
  const folder = await mkdtemp(join(tmpdir(), "banyan-import-"));
  const close = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", close);
  const path = join(folder, "input");
  await pipeline(input, createWriteStream(path, { mode: 0o600 }));
  return { ...fileSource(path), close };
};

const digestOf = (hash: Hash) => hash.digest("hex").slice(0, 16);

const unpackerOf = (path: string) => {
  const start = Buffer.alloc(4);
  const file = openSync(path, "r");
  readSync(file, start, 0, start.length, 0);
  closeSync(file);
  if (start.readUInt16BE() === 0x1f8b) return createGunzip({ chunkSize: CHUNK });
  if (start.readUInt32LE() === 0xfd2fb528) return createZstdDecompress({ chunkSize: CHUNK });
  return undefined;
};
