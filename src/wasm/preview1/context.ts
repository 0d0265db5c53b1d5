import type { DescriptorTable } from './descriptor-table.js'
import type { GuestMemory } from './guest-memory.js'
import type { GuestTree } from './guest-tree.js'
import type { Host } from './host.js'

/** What every family of calls works on. */
export interface Context {
  readonly host: Host
  readonly table: DescriptorTable
  readonly tree: GuestTree
  /** The guest's memory. Only known once the module is instantiated; throws EFAULT before. */
  memory(): GuestMemory
}
