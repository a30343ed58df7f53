// Large configurations, as the file that declares them: each service and destination is another, and no health is asked for.

export interface Size {
  readonly services: number;
  /** Of all services together, spread evenly. */
  readonly destinations: number;
}

/** A service has up to so many real servers that are no other's. */
const realServersEach = 50;

/** A service for each line, by its number. */
export function serviceLine(index: number, destinations: number, weight = 1): string {
  const rips = Array.from({ length: destinations }, (_, one) => {
    return `{rip: "${addressOf(172, 16, index * realServersEach + one)}:8080", weight: ${one === 0 ? weight : 1}}`;
  });
  return `  - {tcp: "${addressOf(10, 128, index)}:80", scheduler: wrr, checks: none, destinations: [${rips.join(', ')}]}`;
}

export function toConfiguration(lines: readonly string[], more = ''): string {
  return `services:\n${lines.join('\n')}\n${more}`;
}

export function serviceLines({ services, destinations }: Size): string[] {
  const each = Math.ceil(destinations / services);
  return Array.from({ length: services }, (_, index) => serviceLine(index, each));
}

/** The one of that number in a network of 2^20 addresses; its last byte is never 0 or 255. */
function addressOf(first: number, second: number, number: number): string {
  const [host, above] = [number % 254, Math.floor(number / 254)];
  return `${first}.${second + Math.floor(above / 256)}.${above % 256}.${host + 1}`;
}
