import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";

/** The files of a certificate and its key. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What the file holds that a variable names. Throws what is wrong with it. */
export const readNamed = (variable: string, file: string): Buffer => {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${variable}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
};

/** The first certificate of the file: whose it is. */
export const certificateIn = (variable: string, file: string): X509Certificate => {
  const pem = readNamed(variable, file);
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error(`${variable}: ${file} holds no certificate (PEM)`);
  }
};

/** Throws where the key is none, or another certificate's. */
export const requirePair = (variables: Pair, files: Pair): void => {
  const certificate = certificateIn(variables.cert, files.cert);
  const pem = readNamed(variables.key, files.key);
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(pem));
  } catch {
    throw new Error(`${variables.key}: ${files.key} holds no private key (PEM, without a password)`);
  }
  if (!fits) throw new Error(`${variables.key}: ${files.key} is not the key of the certificate in ${files.cert}`);
};
