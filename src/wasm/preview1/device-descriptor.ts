import { ErrnoError } from '../../fs/errno.js'
import type { DeviceNumber } from '../../fs/file-system.js'
import { Descriptor } from './descriptor.js'
import { WasiError } from './errno.js'
import { FILETYPE } from './flags.js'
import type { Host } from './host.js'
import type { Filestat } from './layouts.js'

type DeviceKind = 'null' | 'zero' | 'full' | 'random'

/** Devices that are nothing but a behaviour (Linux's devices.txt, major 1), by minor number. */
const KINDS: Readonly<Record<number, DeviceKind>> = { 3: 'null', 5: 'zero', 7: 'full', 8: 'random', 9: 'random' }

/** An open /dev/null, zero, full, random or urandom, played by the host. Every other device is ENXIO: there is none behind it. */
export class DeviceDescriptor extends Descriptor {
  readonly filetype = FILETYPE.characterDevice
  readonly #filestat: () => Filestat
  readonly #kind: DeviceKind
  readonly #host: Host

  constructor(device: DeviceNumber | null, filestat: () => Filestat, host: Host, rightsBase: number) {
    super(rightsBase, 0)
    const kind = device?.major === 1 ? KINDS[device.minor] : undefined
    if (kind === undefined) throw new WasiError('ENXIO')
    this.#filestat = filestat
    this.#kind = kind
    this.#host = host
  }

  override filestat(): Filestat {
    return this.#filestat()
  }

  override read(buffers: readonly Uint8Array[]): number {
    if (this.#kind === 'null') return 0
    for (const buffer of buffers) {
      if (this.#kind === 'random') this.#host.random(buffer)
      else buffer.fill(0)
    }
    return total(buffers)
  }

  override write(buffers: readonly Uint8Array[]): number {
    if (this.#kind === 'full') throw new ErrnoError('ENOSPC')
    return total(buffers)
  }

  override seek(): number {
    return 0
  }
}

function total(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0)
}
