/** Addresses of coordinators: `http://host:port`, `https://…` for TLS, or `host:port`; several by commas. */
import { Mx8Error } from '../core/base/errors.ts';

export interface CoordAddress {
  /** As gRPC wants it: `host:port`. */
  readonly target: string;
  readonly usesTls: boolean;
  /** As it was given, for sentences. */
  readonly text: string;
}

export const PORT_DEFAULT = 50051;

const ADDRESS =
  /^(?:(http|https|grpc):\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/;

export function parseCoordUrl(urls: string): readonly CoordAddress[] {
  const texts = urls
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  if (texts.length === 0) throw invalid(urls);
  return texts.map(parseOne);
}

function parseOne(text: string): CoordAddress {
  const match = ADDRESS.exec(text);
  const port = Number(match?.[3] ?? PORT_DEFAULT);
  if (match === null || port < 1 || port > 65_535) throw invalid(text);
  return { target: `${match[2]}:${port}`, usesTls: match[1] === 'https', text };
}

function invalid(text: string): Mx8Error {
  return new Mx8Error(
    'flag_invalid',
    `a coordinator's address is http://host:port, https://host:port or host:port, several with commas between them; got ${JSON.stringify(text)}`,
  );
}
