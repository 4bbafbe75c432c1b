import type { Result, Router } from "hono/router";
import { TrieRouter } from "hono/router/trie-router";

/**
 * A router that remembers what it found for these paths, which must be routes without parameters: with as many routes as
 * a platform has, looking costs a small request more than its body does.
 */
export function quickRouter<T>(paths: readonly string[]): Router<T> {
  const router = new TrieRouter<T>();
  const known = new Map<string, Result<T>>();
  return {
    name: "QuickRouter",
    add: (method, path, handler) => router.add(method, path, handler),
    match(method, path) {
      if (!paths.includes(path)) return router.match(method, path);
      const key = `${method} ${path}`;
      const found = known.get(key) ?? router.match(method, path);
      known.set(key, found);
      return found;
    },
  };
}
