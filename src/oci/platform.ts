import { EngineError } from '../errors.js'

/** Operating system and architecture an image is for, in Go's words (image-spec, image-index.md). */
export interface Platform {
  /** `linux` or `wasi`. */
  readonly os: string
  /** `amd64`, `arm64`, `wasm` … */
  readonly architecture: string
  readonly variant?: string
}

/** The platform of every WASI image: `wasi/wasm`. */
export const WASI_PLATFORM: Platform = { os: 'wasi', architecture: 'wasm' }

const WORD = /^[a-z0-9][a-z0-9_.-]*$/
/** Words people type for the words Go uses (as containerd and docker accept them). */
const ARCHITECTURES: ReadonlyMap<string, readonly [architecture: string, variant?: string]> = new Map([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['i386', ['386']],
  ['i686', ['386']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['wasm32', ['wasm']],
])

/** `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')
}

/**
 * Reads `os/architecture[/variant]` as a user types it: case is ignored, `x86_64` means `amd64`, `wasip1` means `wasi`.
 * Throws INVALID_ARGUMENT.
 */
export function parsePlatform(text: string): Platform {
  const words = text.toLowerCase().split('/')
  const [os, architecture, variant] = words
  if (os === undefined || architecture === undefined || words.length > 3 || !words.every((word) => WORD.test(word)))
    throw new EngineError('INVALID_ARGUMENT', `"${text}" is not a platform`, {
      hint: 'Write os/architecture, for example linux/amd64 or wasi/wasm.',
      data: { platform: text },
    })
  return normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) })
}

/** The same platform in the words compared by {@link platformMatches}: aliases resolved, a variant that is the default left out. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase() === 'wasip1' ? 'wasi' : platform.os.toLowerCase()
  const [architecture, impliedVariant] = ARCHITECTURES.get(platform.architecture.toLowerCase()) ?? [platform.architecture.toLowerCase()]
  const variant = platform.variant?.toLowerCase() || impliedVariant
  const isDefault =
    variant === undefined || (architecture === 'arm64' && /^v?8$/.test(variant)) || (architecture === 'amd64' && variant === 'v1')
  return isDefault ? { os, architecture } : { os, architecture, variant: /^\d$/.test(variant) ? `v${variant}` : variant }
}

/** Whether an image for `offered` is what `wanted` asks for. A wanted platform without variant takes any. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  const [one, other] = [normalizePlatform(wanted), normalizePlatform(offered)]
  return one.os === other.os && one.architecture === other.architecture && (one.variant === undefined || one.variant === other.variant)
}
