import { describeSuites, type Suite } from "./platform/suite.ts";
import { pythonEnv } from "./python-env.ts";

const hub = (major: RegExp): Suite => ({
  script: "hub_client.py",
  versions: { huggingface_hub: major },
  sections: {
    repositories: 14,
    files: 24,
    "folders, 20 MB": 9,
    revisions: 12,
    "branches and tags": 6,
    HfFileSystem: 10,
    "many at once": 3,
    "the hf command": 2,
    removal: 5,
    "paths that are none": 7,
  },
  job: () => ({ namespace: "hub-ns", seed: 1 }),
});

describeSuites("huggingface_hub 0.36", await pythonEnv("requirements-hub-0.txt"), [hub(/^0\.36\./)], {
  token: "the-token-of-this-test",
});
describeSuites("huggingface_hub 1", await pythonEnv("requirements-toolkit.txt"), [hub(/^1\./)]);
describeSuites("huggingface_hub 2 and datasets", await pythonEnv("requirements.txt"), [
  hub(/^2\./),
  {
    script: "datasets_client.py",
    versions: { datasets: /^5\./, huggingface_hub: /^2\./ },
    sections: {
      upload: 2,
      "load_dataset by name": 4,
      "load_dataset by path": 4,
      "load_dataset by revision": 2,
      parquet: 1,
    },
    job: () => ({ namespace: "datasets-ns" }),
  },
]);
