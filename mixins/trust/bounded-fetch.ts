import { isPrivate } from "../runtime/issuers.ts";

const PATIENCE = 5_000; // milliseconds, for all of an answer
const MOST = 262_144; // bytes of it

export interface Fetched {
  readonly method?: string;
  readonly headers?: RequestInit["headers"];
  readonly body?: RequestInit["body"];
  readonly signal?: AbortSignal;
}

/**
 * Asks the hosts of one configured issuer and no others, over TLS or on this host; follows no redirect, waits five seconds, and reads a quarter
 * of a megabyte at most. So neither a provider's documents nor its answers lead us anywhere else.
 */
export const boundedFetch = (issuer: string, hosts: readonly string[]) => {
  const own = new URL(issuer);
  const known = new Set([own.host, ...hosts]);
  return async (address: string, { method, headers, body, signal }: Fetched = {}): Promise<Response> => {
    const url = new URL(address);
    const downgraded = own.protocol === "https:" && url.protocol !== "https:";
    if (!known.has(url.host) || !isPrivate(url) || downgraded) {
      throw new TypeError(`${url.host} is none of the hosts of ${issuer}: name it in its hosts, where it is meant`);
    }
    const patience = AbortSignal.timeout(PATIENCE);
    const response = await fetch(url, {
      ...{ method, headers, body: body ?? null },
      ...{ redirect: "manual", signal: signal ? AbortSignal.any([signal, patience]) : patience },
    });
    return new Response(await read(response), { status: response.status, headers: response.headers });
  };
};

const read = async (response: Response): Promise<Buffer | null> => {
  if (!response.body) return null;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MOST) throw new RangeError(`The answer of ${new URL(response.url).host} is larger than ${MOST} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};
