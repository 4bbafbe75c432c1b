import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** Addresses at which one object may be uploaded, for some time. */
export interface UploadTickets {
  /** The part of the address behind the `?`. */
  issue(oid: string, size: number): string;
  /** Whether a PUT of this address carries a ticket of this run of the platform, for the very object it names. */
  allows(url: URL, method: string): boolean;
}

/** A day: a large file on a slow line. */
const VALID_MS = 24 * 3600 * 1000;

const UPLOAD = /\.git\/info\/lfs\/objects\/([0-9a-f]{64})\/(\d{1,15})$/;

/**
 * Tickets signed with a key of this process: clients send nothing but the bytes to the address that they were given, no
 * token. `now` gives milliseconds.
 */
export function uploadTickets(now: () => number, key: Buffer = randomBytes(32)): UploadTickets {
  const sign = (oid: string, size: string, until: string) =>
    createHmac("sha256", key).update(`PUT ${oid} ${size} ${until}`).digest();
  return {
    issue(oid, size) {
      const until = String(now() + VALID_MS);
      return `until=${until}&ticket=${sign(oid, String(size), until).toString("base64url")}`;
    },
    allows({ pathname, searchParams }, method) {
      const found = UPLOAD.exec(pathname);
      const until = searchParams.get("until") ?? "";
      if (method !== "PUT" || found === null || !/^\d{1,16}$/.test(until) || Number(until) < now()) return false;
      const wanted = sign(found[1] ?? "", found[2] ?? "", until);
      const given = Buffer.from(searchParams.get("ticket") ?? "", "base64url");
      return given.length === wanted.length && timingSafeEqual(given, wanted);
    },
  };
}
