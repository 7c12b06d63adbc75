import { STATUS_CODES } from "node:http";
import { Errors } from "moleculer";
import { Rejected, Unavailable } from "../../mixins/core/errors.ts";

/** An error as the API tells it (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  /** What is wrong with which field, and what would be right. */
  errors?: { field: string; rule: string; expected?: string; message: string }[];
  /** Facts about the refusal, in the words of the room. */
  data?: unknown;
  requestId: string;
}

const MOST_ERRORS = 50;
const CODE = /^[A-Z][A-Z0-9_]{2,60}$/;

/** What a client may know of an error. Whatever is not meant for clients becomes INTERNAL_ERROR: no stack and no driver's text leaves here. */
export const problemOf = (error: unknown, requestId: string): Problem => {
  const known = asKnown(error);
  const { code: status, type: code, message: detail } = known;
  const problem: Problem = { type: `/docs/errors#${code}`, title: STATUS_CODES[status] ?? "Error", status, code, detail, requestId };
  if (Array.isArray(known.data)) problem.errors = known.data.slice(0, MOST_ERRORS).map(fieldError);
  else if (known.data !== undefined && known.data !== null) problem.data = known.data;
  return problem;
};

const asKnown = (error: unknown): Errors.MoleculerError => {
  if (!(error instanceof Errors.MoleculerError)) return unknown;
  switch (error.type) {
    case "SERVICE_NOT_FOUND":
    case "SERVICE_NOT_AVAILABLE":
    case "REQUEST_REJECTED":
      return unavailable("ROOM_UNAVAILABLE", "A room that this takes does not run here, or cannot be reached, at the moment");
    case "REQUEST_TIMEOUT":
    case "REQUEST_SKIPPED":
      return unavailable("REQUEST_TIMEOUT", "There was no answer in time; what was asked may have happened: repeat it under the same key");
    case "QUEUE_FULL":
      return unavailable("QUEUE_FULL", "Too much is waiting for this already");
    case "VALIDATION_ERROR":
      return new Rejected("VALIDATION_ERROR", "The request has fields that are missing or wrong", 422, error.data);
  }
  const meant = (error.code >= 400 && error.code < 500) || error.code === 503;
  return meant && CODE.test(error.type ?? "") ? error : unknown;
};

const unavailable = (type: string, message: string) => new Unavailable(type, message);
const unknown = new Errors.MoleculerError("Something failed here; the log has it under this request id", 500, "INTERNAL_ERROR");

interface Invalid {
  field?: unknown;
  type?: unknown;
  rule?: unknown;
  expected?: unknown;
  message?: unknown;
}

/** The validator's pattern has lost its backslashes on the way, so the rule's own words stand for it; and of an enum it says as if the values were what came. */
const fieldError = (wrong: Invalid) => {
  const [field, rule] = [String(wrong.field ?? ""), String(wrong.type ?? wrong.rule ?? "")];
  const tells = wrong.expected !== undefined && wrong.expected !== null && rule !== "stringPattern";
  return {
    field,
    rule,
    ...(tells && { expected: String(wrong.expected) }),
    message: rule === "enumValue" ? `The '${field}' field must be one of: ${wrong.expected}` : String(wrong.message ?? ""),
  };
};
