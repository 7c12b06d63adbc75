import { BlockList, isIP } from "node:net";

/** A list of addresses and networks (10.0.0.0/8), to ask whether it holds an address. Throws an `Error` at one that is neither. */
export const networksOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    try {
      if (bits === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(bits), family);
    } catch {
      throw new Error(`TRUSTED_PROXIES must name addresses or networks like 10.0.0.0/8, not "${network}"`);
    }
  }
  return list;
};
