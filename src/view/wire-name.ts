/** Names as they stand on the wire and in the logs, which is what operators search for. */

/** `leasesGrantedTotal` is `leases_granted_total`. */
export function wireName(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** The numbers and switches of an object under their wire names, in its order. */
export function wireEntries(of: object): readonly (readonly [string, string])[] {
  return Object.entries(of).map(([key, value]) => [wireName(key), String(value)]);
}
