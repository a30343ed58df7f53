// Values for programs: counters become numbers, exact up to 2^53.

export function toPlain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, member: unknown) => (typeof member === 'bigint' ? Number(member) : member)),
  );
}

export function toJson(value: unknown): string {
  return `${JSON.stringify(toPlain(value), undefined, 2)}\n`;
}

/** Its library is only loaded when it is asked for. */
export async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(toPlain(value));
}
