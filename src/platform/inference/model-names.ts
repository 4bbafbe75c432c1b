import type { ModelEntity } from "../../training/wire/entity-store.ts";
import { HttpFault } from "../http/http-fault.ts";
import { type Collection, collection } from "../store/collection.ts";
import type { Database } from "../store/database.ts";
import type { ModelRepositories } from "./model-files.ts";

/** Where a model's files lie: in a folder of this machine, or in a commit of the Datastore, which never changes. */
export type ModelSource = { dir: string } | { repo: string; commit: string };

/** A model that can be called. */
export interface ServedModel {
  /** Its name in full: `ns/name`, or `ns/name@cust-...` where it was trained here. */
  id: string;
  /** What is loaded. */
  weights: ModelSource;
  /** A LoRA adapter over `weights`. */
  adapter?: ModelSource;
  /** Where its files are, as OpenAI's list has it. */
  root: string;
  /** The model that it was trained from, where it needs that one to run. */
  parent: string | null;
  /** Seconds since 1970. */
  created: number;
}

/** What of a customization target is looked at here. */
interface Target {
  base_model?: string;
  model_path?: string;
  status?: string;
  enabled?: boolean;
  created_at: string;
}

interface Deployment {
  models?: string[];
  deployed?: boolean;
  status_details: { status: string };
}

/**
 * Names as the NIM proxy has them. Base models of targets that are enabled and ready can be called, LoRA adapters over
 * them as soon as their files are there, and models of which all weights were trained once they are deployed.
 */
export class ModelNames {
  readonly #targets: Collection<Target>;
  readonly #models: Collection<ModelEntity>;
  readonly #deployments: Collection<Deployment>;
  readonly #changes: () => number;
  readonly #repositories: Pick<ModelRepositories, "commitOf">;
  /** What was found since the last change. */
  readonly #known = new Map<string, ServedModel>();
  #deployed: Set<string> | undefined;
  #as_of = -1;
  #has_looked = false;

  constructor(database: Database, repositories: Pick<ModelRepositories, "commitOf">) {
    this.#repositories = repositories;
    this.#targets = collection(database, "customization_target");
    this.#models = collection(database, "model");
    this.#deployments = collection(database, "model_deployment");
    const changes = database.prepare("select total_changes() as n");
    this.#changes = () => (changes.get() as { n: number }).n;
  }

  /**
   * The model that a name stands for: in full, or without what follows the `@`, which is the newest that can be called.
   * Errors: 404 that says what is missing. `deployed: false` finds models that only wait for a deployment, too.
   */
  find(name: string, { deployed = true } = {}): ServedModel {
    this.#refresh();
    if (!deployed) return this.#lookUp(name, false);
    const found = this.#known.get(name) ?? this.#lookUp(name, true);
    this.#known.set(name, found);
    return found;
  }

  /** Every name that can be called, with its model. */
  list(): { name: string; model: ServedModel }[] {
    const listed = new Map<string, ServedModel>();
    for (const { base_model } of this.#targets.all()) {
      const model = base_model && orNothing(() => this.#base(base_model));
      if (model) listed.set(model.id, model);
    }
    this.#deployed = undefined;
    const entities = this.#models.all();
    const exact = new Set(entities.map(({ namespace, name }) => `${namespace}/${name}`));
    for (const entity of entities) {
      const model = orNothing(() => this.#served(entity, true));
      if (model === undefined) continue;
      listed.set(model.id, model);
      // In the order they were made: the newest stays.
      const bare = model.id.split("@")[0] ?? model.id;
      if (!exact.has(bare)) listed.set(bare, model);
    }
    return [...listed].map(([name, model]) => ({ name, model }));
  }

  /**
   * Forgets what was found before the last change. Whoever changes the database does it over this connection. One look a
   * turn of the event loop is enough: nobody has been told of a change that was made in the same turn.
   */
  #refresh(): void {
    if (this.#has_looked) return;
    this.#has_looked = true;
    setImmediate(() => {
      this.#has_looked = false;
    });
    const now = this.#changes();
    if (now === this.#as_of) return;
    this.#as_of = now;
    this.#known.clear();
    this.#deployed = undefined;
  }

  #lookUp(name: string, deployed: boolean): ServedModel {
    const found = this.#base(name) ?? this.#trained(name, deployed);
    if (found === undefined) throw new HttpFault(404, `The model \`${shown(name)}\` does not exist.`);
    return found;
  }

  #base(name: string): ServedModel | undefined {
    const same = this.#targets.all().filter(({ base_model }) => base_model === name);
    const ready = same.find(({ enabled, status, model_path }) => enabled !== false && status === "ready" && model_path);
    if (ready?.model_path) {
      const created = seconds(ready.created_at);
      return { id: name, weights: { dir: ready.model_path }, root: name, parent: null, created };
    }
    const [first] = same;
    if (first === undefined) return undefined;
    throw missing(name, `its customization target is ${first.enabled === false ? "not enabled" : first.status}`);
  }

  #trained(name: string, deployed: boolean): ServedModel | undefined {
    const [, namespace, bare] = /^([^/]+)\/([^/]+)$/.exec(name) ?? [];
    if (namespace === undefined || bare === undefined) return undefined;
    const entity = this.#models.get({ namespace, name: bare });
    if (entity) return this.#served(entity, deployed);
    return bare.includes("@") ? undefined : this.#newest(this.#versions(namespace, bare), deployed);
  }

  /** The newest first. */
  #versions(namespace: string, bare: string): ModelEntity[] {
    const where = [
      { field: ["namespace"], is: "equal" as const, values: [namespace] },
      { field: ["name"], is: "contains" as const, values: [`${bare}@`] },
    ];
    const { data } = this.#models.list({ where, sort: "-created_at", page: 1, page_size: 1000 });
    return data.filter(({ name }) => name.startsWith(`${bare}@`));
  }

  /** The first that can be called. Errors: why the newest cannot, where none can. */
  #newest(versions: readonly ModelEntity[], deployed: boolean): ServedModel | undefined {
    let first_fault: unknown;
    for (const version of versions) {
      try {
        return this.#served(version, deployed);
      } catch (fault) {
        first_fault ??= fault;
      }
    }
    if (first_fault !== undefined) throw first_fault;
    return undefined;
  }

  #served(entity: ModelEntity, deployed: boolean): ServedModel {
    const id = `${entity.namespace}/${entity.name}`;
    const { artifact } = entity;
    if (artifact === undefined) throw missing(id, "it has no files in this Datastore");
    if (artifact.status !== "upload_completed") throw missing(id, `its files are not there (${artifact.status})`);
    const files = this.#filesAt(artifact.files_url);
    if (files === undefined) throw missing(id, `this Datastore has nothing at ${shown(artifact.files_url)}`);
    const made = { id, root: artifact.files_url, created: seconds(entity.created_at) };
    if (entity.peft) return { ...made, ...this.#overBase(id, entity), adapter: files };
    if (deployed && !this.#isDeployed(id)) {
      throw missing(id, "it is not deployed, and a model of which all weights were trained needs a deployment");
    }
    return { ...made, weights: files, parent: null };
  }

  /** What `hf://ns/name@revision` stands for now, with or without the kind of repository before it. */
  #filesAt(files_url: string): ModelSource | undefined {
    const [, repo, revision = "main"] = /^hf:\/\/(?:models\/)?([^/@]+\/[^/@]+)(?:@([^/]+))?$/.exec(files_url) ?? [];
    const commit = repo === undefined ? undefined : this.#repositories.commitOf(repo, revision);
    return repo === undefined || commit === undefined ? undefined : { repo, commit };
  }

  #overBase(id: string, { base_model }: ModelEntity): { weights: ModelSource; parent: string } {
    const name = typeof base_model === "string" ? base_model : base_model?.name;
    if (typeof name !== "string") throw missing(id, "it does not say which model its adapter belongs to");
    const base = this.#base(name) ?? this.#trained(name, false);
    if (base === undefined || base.adapter) throw missing(id, `its base model ${shown(name)} is not here`);
    return { weights: base.weights, parent: base.id };
  }

  #isDeployed(id: string): boolean {
    this.#deployed ??= new Set(
      this.#deployments
        .all()
        // One that failed to change its model serves what it served before.
        .filter(({ status_details, deployed }) => status_details.status !== "failed" || deployed === true)
        .flatMap(({ models = [] }) => models),
    );
    return this.#deployed.has(id);
  }
}

function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof HttpFault) return undefined;
    throw error;
  }
}

function missing(name: string, why: string): HttpFault {
  return new HttpFault(404, `The model \`${shown(name)}\` cannot be called: ${why}.`);
}

/** A name in a message: a client may send anything. */
function shown(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}…` : name;
}

function seconds(naive_time: string): number {
  return Math.floor(Date.parse(`${naive_time}Z`) / 1000);
}
