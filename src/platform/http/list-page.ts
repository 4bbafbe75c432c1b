import type { Page } from "../../training/wire/common.ts";
import type { Collection } from "../store/collection.ts";
import type { ListQuery } from "./list-query.ts";

/** The page that a query asks for. One past the end is empty and no fault: clients find the end so. */
export function listPage<T>(entities: Collection<T>, query: ListQuery): Page<T> {
  const { page, page_size, sort, filter, search } = query;
  const { data, total } = entities.list(query);
  return {
    object: "list",
    data,
    pagination: {
      page,
      page_size,
      current_page_size: data.length,
      total_pages: Math.ceil(total / page_size),
      total_results: total,
    },
    sort,
    ...(filter && { filter }),
    ...(search && { search }),
  };
}
