import type { Json } from "../../registry/training-backend.ts";
import type { DatasetCreate } from "../wire/entity-store.ts";
import { namedPath, type Service } from "./service.ts";

const DATASETS = "/v1/datasets";

/** A data set as the Entity Store is to know it. */
export interface DatasetFacts {
  namespace: string;
  name: string;
  files_url: string;
  description: string;
  custom_fields: { readonly [key: string]: Json };
}

/** Registers a data set in the Entity Store, or brings the one that is there up to date. */
export async function putDataset(service: Service, dataset: DatasetFacts, signal: AbortSignal): Promise<void> {
  const { namespace, name, ...facts } = dataset;
  const { status } = await service.call({
    ...{
      method: "POST",
      path: DATASETS,
      body: dataset satisfies DatasetCreate,
      accept: [409],
      repeatable: true,
      signal,
    },
  });
  if (status !== 409) return;
  const path = namedPath(DATASETS, namespace, name);
  await service.call({ method: "PATCH", path, body: facts, repeatable: true, signal });
}
