/** The service once it serves; where it never does it is ended, as its process would keep the test's alive. */
export async function startedOrEnded<Service extends AsyncDisposable>(
  service: Service,
  untilServing: () => Promise<void>,
): Promise<Service> {
  try {
    await untilServing();
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
  return service;
}
