/** Where etcd's members listen, as `--state` names them: `etcd://h1:2379,h2:2379[/name]`. */
import { Mx8Error } from '../../core/base/errors.ts';

export interface EtcdPlace {
  /** Each as `host:port`. */
  readonly endpoints: readonly string[];
  /** Which of the states in this etcd; null where it was left out. */
  readonly name: string | null;
  /** `etcds://`: TLS even where no authority is given. */
  readonly usesTls: boolean;
}

export const ETCD_PORT_DEFAULT = 2379;

/** Enough for every cluster that etcd recommends, several times over. */
const ENDPOINTS_MAX = 32;

const PLACE = /^(etcds?):\/\/([^/]+)(?:\/([^/]*))?$/;
const ENDPOINT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;
/** Also of names made of a job's id and a manifest's hash. */
const NAME = /^[A-Za-z0-9._-]{1,200}$/;

export function isEtcdPlace(text: string): boolean {
  return /^etcds?:/.test(text);
}

export function parseEtcdPlace(text: string): EtcdPlace {
  const match = PLACE.exec(text);
  if (match === null) throw invalid(text, 'it has another form');
  const endpoints = (match[2] ?? '').split(',').map((part) => endpointOf(part, text));
  if (new Set(endpoints).size !== endpoints.length)
    throw invalid(text, 'it names one member twice');
  if (endpoints.length > ENDPOINTS_MAX) {
    throw invalid(text, `it names ${endpoints.length} members, the most is ${ENDPOINTS_MAX}`);
  }
  const name = match[3] === undefined || match[3] === '' ? null : match[3];
  if (name !== null && !NAME.test(name)) {
    throw invalid(text, `the name ${JSON.stringify(name)} is not of letters, digits, ., _ and -`);
  }
  return { endpoints, name, usesTls: match[1] === 'etcds' };
}

function endpointOf(part: string, whole: string): string {
  const match = ENDPOINT.exec(part.trim());
  const port = Number(match?.[2] ?? ETCD_PORT_DEFAULT);
  if (match === null || port < 1 || port > 65_535) {
    throw invalid(whole, `${JSON.stringify(hideUser(part))} is not host:port`);
  }
  return `${match[1]}:${port}`;
}

function invalid(text: string, why: string): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `a state in etcd is written etcd://host:2379,host:2379/name (the name may be left out), got ${JSON.stringify(hideUser(text))}: ${why}; users and passwords are given by --etcd-user and --etcd-password-file`,
    { flag: '--state' },
  );
}

/** Somebody may have put a password before the host. */
function hideUser(text: string): string {
  return text.replaceAll(/[^/,]*@/g, '***@');
}
