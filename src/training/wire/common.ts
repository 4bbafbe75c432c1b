import { z } from "zod";

/**
 * What the contracts of all NeMo services have in common. A schema here reads what a client sends; unknown keys are let
 * through by the services and dropped, null stands for "not given".
 */

export const Ownership = z.looseObject({
  created_by: z.string().nullish(),
  updated_by: z.string().nullish(),
  access_policies: z.record(z.string(), z.unknown()).nullish(),
});

/** A part of a path: no slash, no control character, nothing that names a folder. */
const PART = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._+@-]{0,254}$/;

/** The name of an entity, such as `llama-3.2-1b-instruct@v1.0.0+A100`. */
export const EntityName = z
  .string()
  .regex(PART, "must begin with a letter or digit, and hold letters, digits and ._+@- only, no '..', and 255 at most");

/** The name of a namespace. */
export const NamespaceName = EntityName;

/** Free values beside an entity. */
export const CustomFields = z.record(z.string(), z.unknown());

/** What every entity may carry. */
export const describedFields = {
  description: z.string().max(65_536).nullish(),
  project: z.string().max(1024).nullish(),
  custom_fields: CustomFields.nullish(),
  ownership: Ownership.nullish(),
};

/** When an entity was made and last changed: the service's own form of a time. */
export interface Stamped {
  created_at: string;
  updated_at: string;
}

/** A list as every service gives it: one page, and what was asked for. */
export interface Page<T> {
  object: "list";
  data: T[];
  pagination: {
    page: number;
    page_size: number;
    current_page_size: number;
    total_pages: number;
    total_results: number;
  };
  sort: string;
  filter?: Record<string, unknown>;
  search?: Record<string, unknown>;
}

/** What a deletion is answered with. */
export interface Deleted {
  message: string;
  id: string;
  deleted_at: string;
}
