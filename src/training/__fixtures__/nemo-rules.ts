import type { Rules } from "./stub-services.ts";

export const JOB = {
  id: "cust-1",
  status: "created",
  output_model: "ns/nat-dpo-tag@cust-1",
  custom_fields: { pairwright: "tag" },
};

/** Services on which everything goes well, in the forms that were recorded from the real ones. */
export const WELL: Rules = {
  "GET /v1/namespaces/*": { status: 200, body: { id: "ns" } },
  "GET /v1/datastore/namespaces/*": { status: 201, body: { namespace: "ns" } },
  "POST /v1/hf/api/repos/create": { status: 200, body: { url: "datasets/ns/nat-dpo" } },
  "GET /v1/hf/api/datasets/*/*/tree/main": { status: 200, body: [] },
  "POST /v1/hf/api/datasets/*/*/preupload/main": ({ text }) => {
    const { files } = JSON.parse(text) as { files: { path: string }[] };
    return { status: 200, body: { files: files.map(({ path }) => ({ path, uploadMode: "regular" })) } };
  },
  "POST /v1/hf/api/datasets/*/*/commit/main": {
    status: 200,
    body: { success: true, commitOid: "c0ffee", commitUrl: "", hookOutput: "" },
  },
  "GET /v1/hf/api/datasets/*/*/revision/main": { status: 200, body: { sha: "c0ffee" } },
  "POST /v1/datasets": { status: 200, body: {} },
  "GET /v1/customization/jobs": { status: 200, body: { object: "list", data: [], pagination: { total_pages: 1 } } },
  "POST /v1/customization/jobs": { status: 200, body: JOB },
  "GET /v1/customization/jobs/*": { status: 200, body: { ...JOB, status: "completed" } },
  "GET /v1/customization/jobs/*/status": { status: 200, body: { status: "completed", percentage_done: 100 } },
  "POST /v1/deployment/configs": { status: 200, body: { name: "nat-dpo-tag", namespace: "ns" } },
  "POST /v1/deployment/model-deployments": { status: 200, body: { name: "nat-dpo-tag", namespace: "ns" } },
};
