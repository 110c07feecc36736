# SPDX-License-Identifier: Apache-2.0
"""The report of tools/bench/run as one page, its plots drawn in it: nothing is fetched from anywhere."""

from html import escape
from itertools import groupby

from run_distance import in_words

COLOURS = ('#0b6e4f', '#b04a2f', '#3b5b92', '#8a6d1f', '#6a4c93', '#2a7f8e', '#a3476b', '#5f6b2d', '#55616b')
KEYS_IN_LINE = 4
STYLE = '''
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2429; background: #fff; max-width: 60em; margin: 2em auto;
       padding: 0 1em }
h1 { font-weight: 600; margin-bottom: 0 } h2 { font-weight: 600; margin-top: 2em }
p.lead { color: #55616b; margin-top: .2em }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid #e2e6e9; vertical-align: top }
th { font-weight: 600; color: #55616b } td.n, th.n { text-align: right } td.no { color: #a33 } td.yes { color: #0b6e4f }
pre { background: #f5f7f8; padding: .8em; overflow-x: auto; font-size: 12px }
svg text { font: 12px system-ui, sans-serif; fill: #1d2429 } svg .faint { fill: #7a858e }
'''
TITLES = {'flows': 'Throughput without loss, by number of flows',
          'translation': 'Throughput without loss, by translation',
          'frame size': 'Throughput without loss, by frame size',
          'popularity': 'Throughput without loss, some flows busier than others',
          'new connections': 'New connections',
          'veth': 'Over veth instead of memif, by translation and number of flows'}


def millions(value):
    return f'{value / 1e6:.3f}' if value else '–'


def plain(value):
    return f'{value:,.1f}'


def bars(rows, text_of=millions):
    """A bar a row, grouped by point; the whisker is the lowest and highest confirming trial."""
    most = max((row['value'] or 0 for row in rows), default=0)
    if not most:
        return ''
    systems = list(dict.fromkeys(row['system'] for row in rows))
    left, width, height, gap = 170, 560, 18, 10
    y, parts = 4, []
    for point, of_it in groupby(sorted(rows, key=lambda row: [r['point'] for r in rows].index(row['point'])),
                                key=lambda row: row['point']):
        of_it = list(of_it)
        parts.append(f'<text x="0" y="{y + height * len(of_it) / 2 + 4}">{escape(point)}</text>')
        for row in of_it:
            value = row['value'] or 0
            long = width * value / most
            colour = COLOURS[systems.index(row['system']) % len(COLOURS)]
            parts.append(f'<rect x="{left}" y="{y}" width="{long:.1f}" height="{height - 3}" fill="{colour}"/>')
            if row['spread']:
                low, high = (left + width * end / most for end in row['spread'])
                middle = y + (height - 3) / 2
                parts.append(f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#1d2429" stroke-width="2"/>')
            label = text_of(value) if value else escape(row['why'][:70] or 'not measured')
            parts.append(f'<text class="faint" x="{left + long + 8:.1f}" y="{y + height - 6}">{label}</text>')
            y += height
        y += gap
    return (f'<svg viewBox="0 0 {left + width + 120} {y + 20 * (1 + (len(systems) - 1) // KEYS_IN_LINE)}" width="100%" '
            f'role="img">{"".join(parts)}{key_of(systems, left, y)}</svg>')


def key_of(systems, left, top):
    parts = []
    for i, name in enumerate(systems):
        x, y = left + 170 * (i % KEYS_IN_LINE), top + 20 * (i // KEYS_IN_LINE)
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[i % len(COLOURS)]}"/>'
                     f'<text x="{x + 18}" y="{y + 11}">{escape(name)}</text>')
    return ''.join(parts)


def table(rows):
    lines = []
    for row in rows:
        spread = f'{millions(row["spread"][0])} to {millions(row["spread"][1])}' if row['spread'] else ''
        value = (f'<td class="n">{millions(row["value"])}</td>' if row['value']
                 else f'<td class="no">{escape(row["why"] or "not measured")}</td>')
        names = ''.join(f'<td>{escape(row[name])}</td>' for name in ('system', 'kind', 'point'))
        trips = '; '.join(in_words(one['trips_ns']) for one in row['searches'])
        trials = sum(len(one['trials']) for one in row['searches'])
        lines.append(f'<tr>{names}{value}<td class="n">{spread}</td><td>M {escape(row["unit"])}</td>'
                     f'<td>{escape(row["limited_by"])}</td><td class="n">{len(row["searches"])}</td>'
                     f'<td class="n">{trials}</td><td class="n">{trips}</td></tr>')
    return ('<table><tr><th>system</th><th>does</th><th>with</th><th class="n">median</th><th class="n">spread</th>'
            '<th></th><th>limited by</th><th class="n">searches</th><th class="n">trials</th>'
            '<th class="n">CPUs apart</th></tr>' + ''.join(lines) + '</table>')


def latencies(rows):
    lines = []
    for row in rows:
        for load, found in row['latency_us'].items():
            cells = ''.join(f'<td class="n">{found[name]:.1f}</td>' for name in ('p50', 'p90', 'p99', 'p99_9', 'max'))
            lines.append(f'<tr><td>{escape(row["system"])}</td><td>{escape(row["point"])} flows</td>'
                         f'<td class="n">{load} %</td>{cells}</tr>')
    if not lines:
        return ''
    return ('<h2>Round trip, in microseconds</h2><p>At a share of what the system holds without loss, of five '
            'trials the one with the lowest 99.9 %, for a pause of the machine is in the others; the generator is in '
            'it.</p><table><tr><th>system</th><th>with</th><th class="n">load</th><th class="n">50 %</th>'
            '<th class="n">90 %</th><th class="n">99 %</th><th class="n">99.9 %</th><th class="n">most</th></tr>'
            + ''.join(lines) + '</table>')


def bars_of_group(group):
    """Of figures that are called WHAT, SIZE, all in one unit."""
    named = [(*figure['name'].rsplit(', ', 1), figure) for figure in group['figures']
             if figure['name'].endswith(' flows')]
    if len({figure['unit'] for *_, figure in named}) != 1:
        return ''
    return bars([{'system': what, 'point': size, 'value': figure['median'], 'why': figure['why'],
                  'spread': (min(figure['values']), max(figure['values'])) if figure['values'] else ()}
                 for what, size, figure in named], plain)


def table_of_group(group):
    lines = []
    for figure in group['figures']:
        values = figure['values']
        median = (f'<td class="n">{figure["median"]:,.2f}</td>' if values else
                  f'<td class="no">{escape(figure["why"] or "not measured")}</td>')
        spread = f'{min(values):,.2f} to {max(values):,.2f}' if len(values) > 1 else ''
        lines.append(f'<tr><td>{escape(figure["name"])}</td>{median}<td class="n">{spread}</td>'
                     f'<td>{escape(figure["unit"])}</td><td class="n">{len(values)}</td></tr>')
    return ('<table><tr><th></th><th class="n">median</th><th class="n">spread</th><th></th><th class="n">runs</th>'
            '</tr>' + ''.join(lines) + '</table>')


def section_of_group(group):
    return (f'<h2>{escape(group["title"])}</h2><p>{escape(group["says"])}</p>{bars_of_group(group)}'
            f'{table_of_group(group)}')


def table_of_aims(aims):
    lines = []
    for aim in aims:
        value = '–' if aim['value'] is None else f'{aim["value"]:.2f} {escape(aim["unit"])}'
        colour = 'yes' if aim['verdict'] == 'met' else 'no'
        lines.append(f'<tr><td class="{colour}">{escape(aim["verdict"])}</td><td>{escape(aim["text"])}</td>'
                     f'<td class="n">{value}</td><td>{escape(aim["how"])}</td></tr>')
    return ('<h2>Aims</h2><table><tr><th></th><th>aim</th><th class="n">reached</th><th>of</th></tr>' + ''.join(lines)
            + '</table>')


def table_of_parts(report):
    """How long the run took, with starting and stopping."""
    lines = [f'<tr><td>{escape(part["title"])}</td><td class="n">{part["seconds"]:.1f}</td></tr>'
             for part in report['parts']]
    return ('<h2>How long it took</h2><table><tr><th></th><th class="n">seconds</th></tr>' + ''.join(lines)
            + f'<tr><td>all</td><td class="n">{report["took_seconds"]}</td></tr></table>')


def to_html(report):
    """`report`: what report.json holds."""
    its = report['machine']
    sections = []
    plots = list(dict.fromkeys(row['plot'] for row in report['rows']))
    for plot in plots:
        rows = [row for row in report['rows'] if row['plot'] == plot]
        sections.append(f'<h2>{escape(TITLES[plot])}</h2>{bars(rows)}{table(rows)}')
    systems = ''.join(f'<h3>{escape(one["title"])}</h3><p>{escape(one["version"] or one.get("failed", ""))}</p>'
                      f'<pre>{escape(one["configuration"])}</pre>' for one in report['systems'])
    return f'''<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Tandem: benchmark</title><style>{STYLE}</style>
<h1>Tandem {escape(its['tandem'])}</h1>
<p class="lead">{escape(its['when'])} · {escape(its['cpu'])}, {its['cpus']} CPUs, {its['memory_gib']} GiB · Linux
{escape(its['kernel'])} · {its['hugepages_2m']} hugepages of 2 MiB · the host took {report['host_took_percent']} % of
the CPU time away</p>
{table_of_aims(report['aims']) if report['aims'] else ''}
<h2>How</h2><p>Requests a second that a system carries without losing one, each a packet to a server and one back;
found by halving with trials of {report['trial_seconds']} s. A rate counts as lost when each of three trials lost, of
five where hardly anything was lost, and is confirmed by three trials without loss, of six at most. Median and spread
are of the searches or, where only one counts, of the trials that confirmed it. A search that takes too long goes down
in steps that grow, and two of four confirm. Rows that an aim compares are searched in rounds, in which their systems
take turns; a ratio is of searches, best of one round, in which a cache line took as long between the CPUs for both,
within half as much again, from beginning to end. A search during which that changed was made again, if there was time, and a row has the
figure of those with the CPUs nearest. Where new connections are opened the system keeps no other flows, and those of
UDP end by idling meanwhile. {escape(report['setting'])} “Limited by” says who was at its end just above: the generator, when its loop had no idle
turn: the system carries that much at least. {escape(report['line_trips'])}. {its['processes_before']} processes
wanted to run before it began.</p>
{''.join(sections)}{latencies(report['rows'])}
{''.join(section_of_group(group) for group in report['groups'])}
{table_of_parts(report)}
<h2>What was measured</h2>{systems}
</html>
'''
