/**
 * Addresses that no data set is read from. Link-local ones answer with the credentials of the machine on
 * every cloud, so a manifest from somebody else must not be able to send requests there.
 */

/** Metadata services that are not link-local. */
const METADATA = new Set(['100.100.100.200', 'fd00:ec2::254', '168.63.129.16']);
const METADATA_NAMES = new Set(['metadata.google.internal', 'metadata', 'instance-data']);

/** What the address is, when nothing is to be read from it; else null. */
export function refusedAddress(address: string): string | null {
  const text = address
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '');
  const plain = mappedIpv4(text) ?? text;
  if (METADATA.has(plain)) return 'the metadata service of a cloud';
  if (plain.startsWith('169.254.')) return 'a link-local address';
  if (/^fe[89ab][0-9a-f]:/.test(plain)) return 'a link-local address';
  if (plain.startsWith('0.') || plain === '::') return 'no address of a host';
  if (/^(22[4-9]|23\d|255)\./.test(plain) || /^ff[0-9a-f]{2}:/.test(plain)) {
    return 'an address of many hosts';
  }
  return null;
}

export function refusedHostName(name: string): string | null {
  const plain = name.toLowerCase().replace(/\.$/, '');
  return METADATA_NAMES.has(plain) ? 'the metadata service of a cloud' : null;
}

/** `::ffff:169.254.169.254` and `::ffff:a9fe:a9fe` are IPv4 addresses in disguise. */
function mappedIpv4(text: string): string | null {
  const dotted = /^(?:0*:)*:?(?:ffff:)(?:0:)?(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text);
  if (dotted !== null) return dotted[1] ?? null;
  const words = /^(?:0*:)*:?ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text);
  if (words === null) return null;
  const [high, low] = [parseInt(words[1] ?? '', 16), parseInt(words[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
