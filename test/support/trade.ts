import { fetch } from "./credentials.ts";

/** A deal as a buyer would send it: the least that makes one. */
export const deal = (id: string) => ({
  id,
  saleParty: "acme",
  currency: "GBP",
  lines: [{ product: "LDPE", quantity: "10", rate: "1.25", sources: [] }],
});

/** Opens the deal over HTTP; answers whether it was acknowledged, for what is not answered may have happened or not. */
export const openDeal = async (url: string, id: string): Promise<boolean> => {
  try {
    const answer = await fetch(`${url}/api/v1/deals`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(deal(id)),
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
};

export const hasDeal = async (url: string, id: string): Promise<boolean> => {
  const answer = await fetch(`${url}/api/v1/deals/${id}`);
  await answer.arrayBuffer();
  return answer.status === 200;
};

/** Waits until the node answers requests for its rooms. */
export const ready = async (url: string) => {
  while ((await fetch(`${url}/health/ready`)).status !== 200) await new Promise((done) => setTimeout(done, 20));
};

/** Opens deals (or what else is said) until it is told to stop, some at a time; answers the acknowledged ones. */
export const trade = (url: string, open: (url: string, id: string) => Promise<boolean> = openDeal) => {
  const acknowledged: string[] = [];
  let [going, next] = [true, 0];
  const buyer = async () => {
    while (going) {
      const id = `deal-${next++}`;
      if (await open(url, id)) acknowledged.push(id);
    }
  };
  const buyers = Promise.all(Array.from({ length: 8 }, buyer));
  const more = async (count: number) => {
    const goal = acknowledged.length + count;
    while (acknowledged.length < goal) await new Promise(setImmediate);
  };
  const end = async () => {
    going = false;
    await buyers;
  };
  return { acknowledged, more, end };
};
