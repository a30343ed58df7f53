// Whom a probe asks.
import type { Address } from '../model/address.ts';

export interface Target {
  /** Where probes go: the real server's own address, or one whose packets take the path of clients' to it. */
  readonly address: Address;
  readonly port: number;
  /** The source address, if it matters. */
  readonly source?: Address;
  /** SO_MARK. */
  readonly mark?: number;
  /** Who is meant, for programs that ask. */
  readonly rip: Address;
  readonly vip?: Address;
  readonly vport?: number;
}
