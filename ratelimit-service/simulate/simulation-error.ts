/** Why a log cannot be replayed: the command line, the configuration or a file is wrong. For people to read. */
export class SimulationError extends Error {
  override readonly name: string = 'SimulationError';
}
