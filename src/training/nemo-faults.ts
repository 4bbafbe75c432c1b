import { type PairwrightError, usageError } from "../lib/errors.ts";
import { didYouMean } from "../lib/suggest.ts";

// What a look before the collection finds and what the submission after it runs into are the same faults.

/** A store has no such namespace, and none is to be made. `store` is its name in a sentence. */
export function namespaceNotFound(store: string, endpoint: string, namespace: string): PairwrightError {
  return usageError({
    code: "namespace_not_found",
    where: endpoint,
    what: `namespace not found: ${store} has no "${namespace}"`,
    fix: "create it, or set create_namespace_if_missing: true",
  });
}

/** The Customizer has no such config; `known` are those that it has. */
export function configNotFound(name: string, known: readonly string[], cause?: unknown): PairwrightError {
  return usageError({
    code: "customization_config_not_found",
    where: "customization_config",
    what: `the Customizer has no config "${name}".${didYouMean(name, known)}`,
    fix: known.length > 0 ? `name one of: ${known.join(", ")}` : "create one in the Customizer first",
    cause,
  });
}

/** The Customizer would refuse a job with these settings. */
export function jobRefused(where: string, what: string, fix: string): PairwrightError {
  return usageError({ code: "job_refused", where, what, fix });
}
