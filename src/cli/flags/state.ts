/** Where a coordinator keeps its state, and how it reaches a store of other machines. */
import { optionalFlag } from '../flag.ts';
import type { Flag } from '../flag.ts';
import { path, text } from '../kinds.ts';

export const statePlace: Flag<string | null> = optionalFlag(
  path('PLACE', 'a folder, etcd://HOST:2379,HOST:2379[/NAME], or `memory` to keep nothing'),
  {
    name: 'state',
    variable: 'MX8_COORD_STATE',
    doc: 'Where the coordinator’s durable log is: a folder for one machine, etcd for several; the same command goes on from it.',
  },
  'below ~/.mx8/coordinator, one folder for each job id or data set; in etcd, a name made the same way',
);

export const etcdCa: Flag<string | null> = optionalFlag(
  path('FILE', 'a PEM file'),
  {
    name: 'etcd-ca',
    variable: 'MX8_ETCD_CA',
    doc: 'The authority that signed etcd’s certificates; with it, and with etcds:// in --state, etcd is reached over TLS.',
  },
  'in the clear; with etcds:// the authorities that Node knows',
);

export const etcdCert: Flag<string | null> = optionalFlag(
  path('FILE', 'a PEM file'),
  {
    name: 'etcd-cert',
    variable: 'MX8_ETCD_CERT',
    doc: 'The certificate to show to an etcd that asks for one; needs --etcd-key.',
  },
  'none',
);

export const etcdKey: Flag<string | null> = optionalFlag(
  path('FILE', 'a PEM file'),
  { name: 'etcd-key', variable: 'MX8_ETCD_KEY', doc: 'The private key of --etcd-cert.' },
  'none',
);

export const etcdUser: Flag<string | null> = optionalFlag(
  text('NAME', 'a name'),
  {
    name: 'etcd-user',
    variable: 'MX8_ETCD_USER',
    doc: 'The user of an etcd with authentication; may read and write the keys that begin with mx8/.',
  },
  'none',
);

export const etcdPasswordFile: Flag<string | null> = optionalFlag(
  path('FILE', 'a file with the password in its only line'),
  {
    name: 'etcd-password-file',
    variable: 'MX8_ETCD_PASSWORD_FILE',
    doc: 'Holds the password of --etcd-user; a password is never given as a flag, where others could read it.',
  },
  'none',
);
