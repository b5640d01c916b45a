/** The door `mx8/metrics`, and what the command line serves over HTTP. */
export { startCoordinatorWeb } from './coordinator-web.ts';
export type { HttpServer, HttpTls } from './http-server.ts';
