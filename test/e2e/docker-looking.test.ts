/** Docker's command line cases from `ps` to what is typed wrong: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, looking', DOCKER_CASES.fromPsToMistakes)

test.run()
