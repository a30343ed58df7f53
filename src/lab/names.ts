// How a laboratory's namespaces are called, and so whose they are.
/** A laboratory that stays has names which a person can type; one that runs carries its process in them. */
export function namespacePrefix(keep: boolean): string {
  return keep ? 'fairlead-' : `fairlead-${process.pid}-`;
}

export interface LabNamespace {
  readonly namespace: string;
  readonly host: string;
  /** The process that laid it out, unless it was laid out to stay. */
  readonly pid: number | undefined;
}

const hosts = 'client|router|director|switch|rs[1-9]';
const pattern = new RegExp(`^fairlead-(?:(\\d+)-)?(${hosts})$`);

/** undefined: not a laboratory's. */
export function parseNamespace(namespace: string): LabNamespace | undefined {
  const match = pattern.exec(namespace);
  const host = match?.[2];
  if (host === undefined) return undefined;
  return { namespace, host, pid: match?.[1] === undefined ? undefined : Number(match[1]) };
}
