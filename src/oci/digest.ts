/** Content address: `sha256:` and 64 lower-case hex digits (image-spec, descriptor.md, "Digests"). */
export type Digest = `sha256:${string}`

/** Digest of a layer's **uncompressed** tar, the `rootfs.diff_ids` of an image config (image-spec, config.md). */
export type DiffId = Digest

const PATTERN = /^sha256:[0-9a-f]{64}$/
const HEX = /^[0-9a-f]{64}$/

/** Whether `value` is a digest that wolffia can check. sha512 is legal in the spec and not accepted here. */
export function isDigest(value: unknown): value is Digest {
  return typeof value === 'string' && PATTERN.test(value)
}

/** The 64 hex digits of a digest, safe as a file name. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

/** The digest with these 64 hex digits; throws RangeError for anything else, so that no path trick becomes a digest. */
export function digestFromHex(hex: string): Digest {
  if (!HEX.test(hex)) throw new RangeError(`not 64 lower-case hex digits: ${hex}`)
  return `sha256:${hex}`
}
