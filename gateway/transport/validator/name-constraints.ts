import { type DerReader, DerTag } from '#gateway/protocol/x509/der.ts';
import type { DistinguishedName } from './distinguished-name.ts';
import { type GeneralName, readGeneralName } from './general-names.ts';

interface Subtree {
  readonly base: GeneralName;
  /** It sets minimum or maximum, which RFC 5280 does not use. */
  readonly bounded: boolean;
}

/** NameConstraints of an issuer. RFC 5280 section 4.2.1.10. */
export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** What is compared: a certificate's subject and alternative names. */
export interface ConstrainedNames {
  readonly subjectName: DistinguishedName;
  readonly generalNames: readonly GeneralName[];
}

type Outcome = 'inside' | 'outside' | ConstraintProblem;
/** Why a certificate does not keep to the constraints, in the TLS library's words. */
export type ConstraintProblem =
  | 'permitted subtree violation'
  | 'excluded subtree violation'
  | 'name constraints minimum and maximum not supported'
  | 'unsupported name constraint type'
  | 'unsupported or invalid name syntax'
  | 'Unspecified certificate verification error';

const maxComparisons = 1 << 20;

/** Reads the extension's value. Throws DerError. */
export function readNameConstraints(value: DerReader): NameConstraints {
  const body = value.next(DerTag.Sequence).inside();
  value.end();
  const permitted = body.peekTag() === 0xa0 ? readSubtrees(body.next().inside()) : [];
  const excluded = body.peekTag() === 0xa1 ? readSubtrees(body.next().inside()) : [];
  body.end();
  return { permitted, excluded };
}

function readSubtrees(list: DerReader): Subtree[] {
  const trees: Subtree[] = [];
  while (!list.done) {
    const body = list.next(DerTag.Sequence).inside();
    const base = readGeneralName(body);
    trees.push({ base, bounded: !body.done });
  }
  return trees;
}

/** '' when all names of a certificate keep to the constraints, else why not. */
export function constraintProblem(names: ConstrainedNames, constraints: NameConstraints): ConstraintProblem | '' {
  const count = names.subjectName.parts.length + names.generalNames.length;
  if (count * (constraints.permitted.length + constraints.excluded.length) > maxComparisons) {
    return 'Unspecified certificate verification error';
  }
  if (names.subjectName.parts.length > 0) {
    const subject: GeneralName = { choice: 4, text: '', directory: names.subjectName, key: '', alternative: null };
    const problem = nameProblem(subject, constraints, false);
    if (problem !== '') return problem;
    for (const email of names.subjectName.emails) {
      if (email === null) return 'unsupported or invalid name syntax';
      const name: GeneralName = { choice: 1, text: email, directory: null, key: '', alternative: null };
      const emailProblem = nameProblem(name, constraints, true);
      if (emailProblem !== '') return emailProblem;
    }
  }
  for (const name of names.generalNames) {
    const problem = nameProblem(name, constraints, false);
    if (problem !== '') return problem;
  }
  return '';
}

function nameProblem(name: GeneralName, constraints: NameConstraints, looseMailbox: boolean): ConstraintProblem | '' {
  let asked = false;
  let found = false;
  for (const tree of constraints.permitted) {
    if (tree.base.choice !== name.choice) continue;
    if (tree.bounded) return 'name constraints minimum and maximum not supported';
    asked = true;
    if (found) continue;
    const outcome = compare(name, tree.base, false, false);
    if (outcome === 'inside') found = true;
    else if (outcome !== 'outside') return outcome;
  }
  if (asked && !found) return 'permitted subtree violation';
  for (const tree of constraints.excluded) {
    if (tree.base.choice !== name.choice) continue;
    if (tree.bounded) return 'name constraints minimum and maximum not supported';
    const outcome = compare(name, tree.base, true, looseMailbox);
    if (outcome === 'inside') return 'excluded subtree violation';
    if (outcome !== 'outside') return outcome;
  }
  return '';
}

function compare(name: GeneralName, base: GeneralName, excluding: boolean, looseMailbox: boolean): Outcome {
  switch (base.choice) {
    case 4:
      return directoryInside(name.directory, base.directory) ? 'inside' : 'outside';
    case 2:
      return dnsInside(name.text, base.text, excluding) ? 'inside' : 'outside';
    case 1:
      return emailInside(name.text, base.text, looseMailbox);
    case 6:
      return uriInside(name.text, base.text);
    default:
      return 'unsupported name constraint type';
  }
}

function directoryInside(name: DistinguishedName | null, base: DistinguishedName | null): boolean {
  if (name === null || base === null) return false;
  return base.parts.every((part, i) => name.parts[i] === part);
}

function dnsInside(dns: string, base: string, excluding: boolean): boolean {
  if (base === '') return true;
  const name = withoutLastDot(dns).toLowerCase();
  const tree = withoutLastDot(base).toLowerCase();
  if (excluding && name.startsWith('*.')) {
    const dot = tree.indexOf('.');
    if (dot !== -1 && tree.slice(dot + 1) === name.slice(2)) return true;
  }
  if (tree.startsWith('.')) return name.endsWith(tree);
  return name === tree || name.endsWith(`.${tree}`);
}

function withoutLastDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

const mailbox = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+$/;
const mailDomain = /^[A-Za-z0-9\-.]+$/;

function emailInside(email: string, base: string, looseMailbox: boolean): Outcome {
  const parts = email.split('@');
  if (parts.length !== 2) return 'unsupported or invalid name syntax';
  const [local, domain] = parts as [string, string];
  if (!mailbox.test(local) || !mailDomain.test(domain)) return 'unsupported or invalid name syntax';
  const at = base.indexOf('@');
  const baseDomain = base.slice(at + 1);
  if (!mailDomain.test(baseDomain)) return 'unsupported or invalid name syntax';
  const host = domain.toLowerCase();
  const tree = baseDomain.toLowerCase();
  if (at > 0) {
    const baseLocal = base.slice(0, at);
    if (!mailbox.test(baseLocal)) return 'unsupported or invalid name syntax';
    const same = looseMailbox ? baseLocal.toLowerCase() === local.toLowerCase() : baseLocal === local;
    return same && tree === host ? 'inside' : 'outside';
  }
  if (tree.startsWith('.')) return host.endsWith(tree) ? 'inside' : 'outside';
  return tree === host ? 'inside' : 'outside';
}

function uriInside(uri: string, base: string): Outcome {
  const rest = /^[^:]*:\/\/([\s\S]*)$/.exec(uri)?.[1];
  if (rest === undefined) return 'unsupported or invalid name syntax';
  const end = rest.includes(':') ? rest.indexOf(':') : rest.indexOf('/');
  const host = (end === -1 ? rest : rest.slice(0, end)).toLowerCase();
  if (host === '') return 'unsupported or invalid name syntax';
  const tree = base.toLowerCase();
  if (tree.startsWith('.')) return host.endsWith(tree) ? 'inside' : 'outside';
  return host === tree ? 'inside' : 'outside';
}
