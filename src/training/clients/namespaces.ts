import { namedPath, type Service } from "./service.ts";

/** The namespaces of a store. The Entity Store and the Datastore each have their own. */
export interface Namespaces {
  has(name: string, signal: AbortSignal): Promise<boolean>;
  /** One that is there already is no error. */
  create(name: string, signal: AbortSignal): Promise<void>;
}

export function entityNamespaces(service: Service): Namespaces {
  const path = "/v1/namespaces";
  return {
    has: (name, signal) => isThere(service, namedPath(path, name), signal),
    async create(id, signal) {
      const body = { id, description: "pairwright finetuning" };
      await service.call({ method: "POST", path, body, accept: [409], repeatable: true, signal });
    },
  };
}

/** The Datastore takes a form. */
export function datastoreNamespaces(service: Service): Namespaces {
  const path = "/v1/datastore/namespaces";
  return {
    has: (name, signal) => isThere(service, namedPath(path, name), signal),
    async create(namespace, signal) {
      await service.call({
        ...{ method: "POST", path, accept: [409], repeatable: true, signal },
        body: new URLSearchParams({ namespace }).toString(),
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
      });
    },
  };
}

async function isThere(service: Service, path: string, signal: AbortSignal): Promise<boolean> {
  return (await service.call({ method: "GET", path, accept: [404], signal })).status !== 404;
}
