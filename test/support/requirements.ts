/** What a host may lack for a test, each looked for by trying it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Requirement } from './suite.js'

/** A program that must be installed. */
export function program(name: string, ...versionArguments: string[]): Requirement {
  return {
    name,
    missing: async () => {
      const problem = await promisify(execFile)(name, versionArguments.length > 0 ? versionArguments : ['--version']).catch(
        (error: Error) => error,
      )
      return problem instanceof Error ? `${name} is not installed (${problem.message.split('\n')[0]})` : null
    },
  }
}

/** Copies images between their forms. */
export const SKOPEO = program('skopeo')
/** Makes and unpacks OCI images, our second opinion on both. */
export const UMOCI = program('umoci')
