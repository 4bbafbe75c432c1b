/**
 * Whether a customization config (`ns/name@version+machine`) is meant by a name: one without namespace, version or machine
 * is enough, as it is for the platform.
 */
export function isNamed(config: string, wanted: string): boolean {
  const bare = config.slice(config.indexOf("/") + 1);
  return [config, bare].some((one) => one === wanted || one.startsWith(`${wanted}@`) || one.startsWith(`${wanted}+`));
}
