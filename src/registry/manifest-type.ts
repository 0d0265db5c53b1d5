import { EngineError } from '../errors.js'
import { parseDocument } from '../oci/document.js'
import { isIndexType, isManifestType } from '../oci/media-type.js'
import { plainText } from './answer.js'

/** Types that say nothing, by which some static registries serve everything. */
const GENERAL = new Set(['', 'application/json', 'application/octet-stream', 'text/plain', 'binary/octet-stream'])

/**
 * Type of a manifest that came: what the answer's `Content-Type` says, and where that says nothing, what the document says of itself. That
 * both agree is checked by whoever reads it (CVE-2021-41190). Throws UNSUPPORTED_MEDIA_TYPE.
 */
export function manifestType(contentType: string | undefined, bytes: Uint8Array): string {
  const said = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const type = GENERAL.has(said) ? String(parseDocument(bytes, 'manifest').mediaType ?? '') : said
  if (isIndexType(type) || isManifestType(type)) return type
  const isOld = /\.v1\+(json|prettyjws)$/.test(type) && type.includes('docker.distribution.manifest')
  throw new EngineError(
    'UNSUPPORTED_MEDIA_TYPE',
    isOld
      ? "the registry sent a manifest of Docker's first image format, which is not read"
      : `the registry sent a manifest of type ${JSON.stringify(plainText(type))}, which is not read`,
    { ...(isOld ? { hint: 'Convert the image: skopeo copy --format oci …' } : {}), data: { mediaType: type } },
  )
}
