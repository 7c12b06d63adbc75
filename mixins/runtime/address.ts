const USER = /\/\/[^@/\s,]*@/g;

/** An address, or several with commas between, as it may be shown: without who logs in and how. */
export const shownAddress = (address: string): string => address.replaceAll(USER, "//").replace(/\?.*$/s, "");

/** A text, such as an error of a driver's, without what these addresses keep secret. */
export const withoutSecrets = (text: string, addresses: readonly (string | undefined)[]): string => {
  const secrets = addresses.flatMap((address) => (address ? secretsOf(address) : [])).filter((secret) => secret.length > 0);
  return secrets
    .sort((a, b) => b.length - a.length)
    .reduce((told, secret) => told.replaceAll(secret, "[hidden]"), text.replaceAll(USER, "//"));
};

const secretsOf = (address: string): string[] => {
  const logins = [...address.matchAll(/\/\/([^@/\s,]*)@/g)].map(([, login]) => login!);
  const options = [...address.matchAll(/[?&][^=&]*(?:password|token|secret|key)[^=&]*=([^&]*)/gi)].map(([, value]) => value!);
  const words = logins.map((login) => (login.includes(":") ? login.slice(login.indexOf(":") + 1) : login));
  return [...words, ...options].flatMap((word) => [word, decoded(word)]);
};

const decoded = (word: string): string => {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // a percent sign that stands for itself
  }
};
