import { hostname } from 'node:os'
import { ownIds } from '../launcher/id-map.js'
import type { Finding } from '../launcher/probe.js'
import type { RootStep } from '../launcher/root-steps.js'

/** A script for root that mends what a script can, each step with its reason; null where there is nothing of the kind. */
export function mendScript(findings: readonly Finding[]): string | null {
  const mendable = findings.filter(({ rootSteps = [] }) => rootSteps.length > 0)
  if (mendable.length === 0) return null
  const blocks = mendable.map(({ name, why, rootSteps = [] }) => [comment(`${name}: ${why}`), ...rootSteps.map(stepText)].join('\n'))
  const head = [
    '#!/bin/sh',
    comment(`What wolffia doctor asks for on ${hostname()}, for ${ownIds().name}. Read it, then run it as root.`),
    'set -eu',
  ]
  return `${[head.join('\n'), ...blocks].join('\n\n')}\n`
}

function comment(text: string): string {
  return `# ${text.replaceAll(/[\0-\x1f\x7f]/g, ' ')}`
}

function stepText(step: RootStep): string {
  if (step.kind === 'command') return step.words.map(quoted).join(' ')
  const folder = step.path.slice(0, step.path.lastIndexOf('/'))
  return [`mkdir -p ${quoted(folder)}`, `printf %s ${quoted(step.contents)} > ${quoted(step.path)}`].join('\n')
}

/** One word of the shell's, whatever is in it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
