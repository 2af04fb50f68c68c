import { RE2JS } from 're2js';
import type { Diagnostics } from '#gateway/config/diagnostics.ts';
import { compileStringMatcher, type StringPredicate } from '#gateway/config/matcher/string-matcher.ts';
import { defaultBuckets } from '#gateway/stats/prometheus.ts';
import type { StatsMatcher } from '#gateway/stats/store.ts';
import { defaultTagExtractors, type Tag, type TagExtractor, TagProducer } from '#gateway/stats/tags.ts';
import type {
  StatsMatcher as MatcherMessage,
  StatsConfig,
  TagSpecifier,
} from '#proto-types/envoy/config/metrics/v3/stats_pb.ts';
import type { ListStringMatcher } from '#proto-types/envoy/type/matcher/v3/string_pb.ts';

/** stats_config, compiled. */
export interface StatsSettings {
  readonly matcher: StatsMatcher | null;
  readonly tags: TagProducer;
  /** Bucket bounds of a histogram by its full name. */
  readonly bucketsFor: (name: string) => readonly number[];
}

/** Compiles stats_config; `fixed` are the tags of the command line. Problems go to `found`, relative to the message. */
export function compileStatsConfig(
  message: StatsConfig | undefined,
  fixed: readonly Tag[],
  found: Diagnostics,
): StatsSettings {
  const defaults = message?.useAllDefaultTags === false ? [] : defaultTagExtractors;
  const own: TagExtractor[] = [];
  const constant: Tag[] = [...fixed];
  for (const [i, specifier] of (message?.statsTags ?? []).entries()) {
    readTag(specifier, own, constant, found.at(`stats_tags[${i}]`));
  }
  const buckets: { match: StringPredicate; bounds: readonly number[] }[] = [];
  for (const [i, settings] of (message?.histogramBucketSettings ?? []).entries()) {
    const { match } = settings;
    const at = found.at(`histogram_bucket_settings[${i}]`);
    const predicate = match === undefined ? undefined : at.at('match').try(() => compileStringMatcher(match));
    if (predicate !== undefined)
      buckets.push({ match: predicate, bounds: [...settings.buckets].sort((a, b) => a - b) });
  }
  return {
    matcher: compileMatcher(message?.statsMatcher, found.at('stats_matcher')),
    tags: new TagProducer([...own, ...defaults], constant),
    bucketsFor: (name) => buckets.find(({ match }) => match.matches(name))?.bounds ?? defaultBuckets,
  };
}

function readTag(specifier: TagSpecifier, own: TagExtractor[], constant: Tag[], found: Diagnostics): void {
  const { tagName, tagValue } = specifier;
  if (tagValue.case === 'fixedValue') {
    constant.push({ name: tagName, value: tagValue.value });
    return;
  }
  const pattern = tagValue.case === 'regex' ? tagValue.value : '';
  if (pattern === '') {
    // An empty regex names one of the default tags.
    const known = defaultTagExtractors.filter((extractor) => extractor.tag === tagName);
    if (known.length === 0) found.error('regex', `no default tag is named '${tagName}', so it needs a regex`);
    own.push(...known);
    return;
  }
  try {
    own.push(regexExtractor(tagName, RE2JS.compile(pattern)));
  } catch (error) {
    found.error('regex', `invalid regular expression '${pattern}': ${error instanceof Error ? error.message : ''}`);
  }
}

/** Group 1 is cut out of the name; group 2, where there is one, is the value. */
function regexExtractor(tag: string, regex: RE2JS): TagExtractor {
  return {
    tag,
    find(name) {
      const matcher = regex.matcher(name);
      if (!matcher.find() || matcher.groupCount() < 1) return null;
      const cut = matcher.group(1);
      if (cut === null) return null;
      const value = matcher.groupCount() >= 2 ? (matcher.group(2) ?? '') : cut;
      return { start: matcher.start(1), end: matcher.end(1), value };
    },
  };
}

function compileMatcher(message: MatcherMessage | undefined, found: Diagnostics): StatsMatcher | null {
  const choice = message?.statsMatcher;
  switch (choice?.case) {
    case 'rejectAll':
      return choice.value ? { accepts: () => false } : null;
    case 'exclusionList': {
      const any = compileList(choice.value, found.at('exclusion_list'));
      return { accepts: (name) => !any(name) };
    }
    case 'inclusionList': {
      const any = compileList(choice.value, found.at('inclusion_list'));
      return { accepts: any };
    }
    default:
      return null;
  }
}

function compileList(list: ListStringMatcher, found: Diagnostics): (name: string) => boolean {
  const predicates: StringPredicate[] = [];
  for (const [i, pattern] of list.patterns.entries()) {
    const predicate = found.at(`patterns[${i}]`).try(() => compileStringMatcher(pattern));
    if (predicate !== undefined) predicates.push(predicate);
  }
  return (name) => predicates.some((predicate) => predicate.matches(name));
}
