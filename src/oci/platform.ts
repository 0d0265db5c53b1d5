/** Operating system and architecture an image is for, in Go's words (image-spec, image-index.md). */
export interface Platform {
  /** `linux` or `wasi`. */
  readonly os: string
  /** `amd64`, `arm64`, `wasm` … */
  readonly architecture: string
  readonly variant?: string
}

/** `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')
}
