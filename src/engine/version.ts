import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import { assetPath } from '../launcher/installation.js'

/** Versions of wolffia and what it runs on. */
export interface VersionReport {
  readonly version: string
  readonly node: string
  readonly v8: string
  /** `linux/x64`. */
  readonly platform: string
  readonly kernel: string
}

/** What runs here. */
export function versionReport(): VersionReport {
  return {
    version: JSON.parse(readFileSync(assetPath('../package.json'), 'utf8')).version,
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform}/${process.arch}`,
    kernel: release(),
  }
}
