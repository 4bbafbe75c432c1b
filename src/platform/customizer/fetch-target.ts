import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openModelFolder } from "../../engine/weights/model-folder.ts";
import { codeOf, messageOf } from "../../lib/errors.ts";
import { openChatTemplate } from "../../tokens/open-chat-template.ts";
import type { TargetStatus } from "../../training/wire/customizer.ts";
import type { JobParts } from "./create-job.ts";
import { putTarget } from "./customizer-store.ts";
import type { StoredTarget } from "./stored.ts";

/** Brings the models of targets that clients made from the Datastore into folders of their own. */
export interface TargetFetcher {
  /** Where a target's model lies. */
  folderOf(id: string): string;
  /** Begins; the target's status tells how it went. */
  fetch(target: StoredTarget): void;
  /** Removes a target's folder. */
  forget(target: StoredTarget): void;
  /** Goes on with what an earlier start had not brought to its end. */
  begin(): void;
  /** Waits for what runs. */
  stop(): Promise<void>;
}

export function targetFetcher({ store, datastore, context }: JobParts): TargetFetcher {
  const folderOf = (id: string) => join(context.dir, "targets", id);
  let running: Promise<unknown> = Promise.resolve();

  /** False where the target is gone meanwhile. */
  function move(target: StoredTarget, status: TargetStatus, facts: Partial<StoredTarget> = {}): boolean {
    const now = store.targets.get(target);
    if (now?.id !== target.id) return false;
    putTarget(store, { ...now, ...facts, status, updated_at: context.times.naive() });
    return true;
  }

  async function perform(target: StoredTarget): Promise<void> {
    if (!move(target, "downloading")) return;
    const dir = folderOf(target.id);
    const [, repository = "", revision = "main"] = /^hf:\/\/([^@]+)(?:@(.+))?$/.exec(target.model_uri ?? "") ?? [];
    try {
      await rm(dir, { recursive: true, force: true });
      await datastore.checkout("model", repository, revision, dir);
      await using model = await openModelFolder(dir);
      const { kind } = await openChatTemplate(dir);
      const { max_position_embeddings } = model.config;
      if (move(target, "ready", { _is_chat: kind === "jinja", _context_size: max_position_embeddings })) return;
    } catch (error) {
      move(target, "failed", { status_message: messageOf(error).replaceAll(`${dir}/`, "") });
    }
    await rm(dir, { recursive: true, force: true });
  }

  /** What a platform that was killed left half done, and folders of targets that are gone. */
  async function removeOthers(): Promise<void> {
    const known = new Set(store.targets.all().map(({ id }) => id));
    const names = await readdir(folderOf("")).catch((error: unknown): string[] => {
      if (codeOf(error) === "ENOENT") return [];
      throw error;
    });
    for (const name of names) if (!known.has(name)) await rm(folderOf(name), { recursive: true, force: true });
  }

  const warn = (error: unknown) => context.log.warn(`targets: ${messageOf(error)}`);

  /** One after the other: they share the disk. */
  function fetch(target: StoredTarget): void {
    running = running.then(() => perform(target)).catch(warn);
  }

  return {
    folderOf,
    fetch,
    forget(target) {
      if (!target._seeded)
        running = running.then(() => rm(folderOf(target.id), { recursive: true, force: true })).catch(warn);
    },
    begin() {
      running = running.then(removeOthers).catch(warn);
      for (const target of store.targets.all()) {
        if (target.status === "pending" || target.status === "downloading") fetch(target);
      }
    },
    stop: async () => void (await running),
  };
}
