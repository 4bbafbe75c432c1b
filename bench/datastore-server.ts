/** The platform of `bench/datastore.ts`, in a process of its own: its memory is what is measured. */
import { startPlatform } from "../src/platform/start-platform.ts";

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const [dir = "", models = ""] = process.argv.slice(2);
const platform = await startPlatform({ dir, port: 0, host: "127.0.0.1", log: silent, models: models ? [models] : [] });
const rss = () => process.memoryUsage.rss() / 2 ** 20;
// What the kernel counts as the peak begins with that of the process this one was forked from.
let peak_mb = 0;
setInterval(() => {
  peak_mb = Math.max(peak_mb, rss());
}, 10).unref();
process.on("message", () => {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  process.send?.({
    rss_mb: rss(),
    peak_mb: Math.max(peak_mb, rss()),
    cpu_seconds: (userCPUTime + systemCPUTime) / 1e6,
  });
  peak_mb = 0;
});
process.on("disconnect", () => void platform.stop().then(() => process.exit(0)));
process.send?.({ origin: platform.origin });
