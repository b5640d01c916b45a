/** What is served over HTTP: pages, metrics, probes. */
export { startCoordinatorWeb } from './coordinator-web.ts';
export { checkSafeBind } from './http-server.ts';
export type { HttpServer, HttpTls } from './http-server.ts';
export { loaderMetrics } from './loader-metrics.ts';
export type { LoaderFigures } from './loader-metrics.ts';
export { startAgentWeb, startLoaderWeb } from './node-web.ts';
