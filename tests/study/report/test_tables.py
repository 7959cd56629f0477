"""Tables of results whose figures are worked out by hand."""

import dataclasses
import re

from helpers.report_results import found, new_seeds

from fer_keras import study
from fer_keras.study import judging
from fer_keras.study.report import tables


def test_leaderboard_is_sorted_by_validation():
    lines = tables.leaderboard(found()).splitlines()
    assert len(lines) == 2 + 3
    assert lines[2].startswith("| 2-1024-Layer-NN | 1 | 2,367,495 | 3 | 43.00 ± 2.00 ")
    # 0.41, 0.43, 0.45: mean 0.43, SD 0.02; leak-free a point less; gaps 0.20, 0.18, 0.16.
    assert lines[3] == (
        "| 1-Layer-NN | 1 | 2,367,495 | 3 | 42.00 ± 2.00 | 43.00 ± 2.00 "
        "| 42.00 ± 2.00 | 30.00 ± 0.00 | 18.00 ± 2.00 | 1.5 |"
    )


def test_runs_beyond_the_study_have_a_table_of_their_own():
    results = found()
    assert tables.beyond(results) == "No such runs."
    (stem, group), *_ = results.items()
    other = [result | {"experiment": result["experiment"] | {"name": "Mine"}} for result in group]
    lines = tables.beyond(results | {"mine": other}).splitlines()
    assert len(lines) == 2 + 1 and lines[2].startswith("| Mine |  | 2,367,495 | 3 | ")
    assert tables.leaderboard(results | {"mine": other}) == tables.leaderboard(results)


def test_one_seed_has_no_spread():
    assert tables.spread([0.4123]) == "41.23"
    assert tables.spread([]) == ""


def test_findings_table():
    (line,) = [line for line in tables.findings(found()).splitlines() if "Three layers are worst" in line]
    # The pilot's three seeds judge by its own rule alone.
    metric = "validation accuracy, mean of the last three epochs"
    assert line == f"| 1 | Three layers are worst. | **not judged yet** | holds | {metric}:<br>not run yet |"


def test_expected_false_verdicts():
    count = len(study.FINDINGS)
    text = " ".join(tables.findings(found()).split("\n\n")[0].split())
    assert text.startswith(
        f"{count} findings: 0 holds, 0 does not hold, 0 no difference that matters, 0 inconclusive, "
        f"{count} not judged yet."
    )
    assert "expect at most 0.0 false verdicts among the 0 that are judged" in text
    text = " ".join(tables.findings(new_seeds()).split("\n\n")[0].split())
    judged = count - int(re.search(r"(\d+) not judged yet", text)[1])
    assert judged > 0 and f"expect at most {0.05 * judged:.1f} false verdicts among the {judged} " in text


def test_seeds_for_power_are_shown():
    one = judging.Judgement("a", "b", (3, 4), (0.0, 0.1), 0.05, 0.07, -0.1, 0.2, needed=330)
    text = "+5.00 points (-10.00 to +20.00), SD 7.00, 2 seeds; 80 % power: {} seeds"
    assert tables.difference(one, True) == text.format("about 330")
    assert tables.difference(dataclasses.replace(one, needed=20_000), True) == text.format("more than 1,000")


def test_findings_table_of_new_seeds():
    (line,) = [line for line in tables.findings(new_seeds()).splitlines() if "Three layers are worst" in line]
    # Every seed is 10 points below one layer and two at the second of two epochs, and alike at the first.
    assert line == (
        "| 1 | Three layers are worst. | **holds** | not judged | "
        "validation accuracy, mean of the last three epochs:<br>"
        "3-1024-Layer-NN − 1-Layer-NN: -5.00 points (-5.00 to -5.00), SD 0.00, 4 seeds<br>"
        "3-1024-Layer-NN − 2-1024-Layer-NN: -5.00 points (-5.00 to -5.00), SD 0.00, 4 seeds |"
    )


def test_sentence_of_a_finding():
    def judged(mean, verdict, rejected=False, other="b", sd=0.02):
        return judging.Judgement(
            "a", other, (3, 4), (mean,) * 2, mean, sd, mean - 0.1, mean + 0.1, None, verdict, rejected
        )

    finding = study.Finding(1, "a is better.", "val_acc", (0.0, 1.0), (("a", "b"),))
    holds, fails = judged(0.03, judging.HOLDS), judged(-0.05, judging.FAILS, True, other="c")
    unclear = dataclasses.replace(judged(0.02, judging.INCONCLUSIVE), needed=13)
    cases = [
        (judging.HOLDS, [holds], "Confirmed: the difference is +3.00 points."),
        (
            judging.HOLDS,
            [holds, judged(0.01, judging.HOLDS)],
            "Confirmed: the differences are +1.00 points to +3.00 points.",
        ),
        (judging.FAILS, [holds, fails], "Refuted: a − c is -5.00 points."),
        (
            judging.EQUAL,
            [judged(0.001, judging.EQUAL)],
            "No difference of a point or more: the difference is +0.10 points.",
        ),
        (judging.INCONCLUSIVE, [holds, unclear], "Undecided: a − b is +2.00 points; 80 % power: about 13 seeds."),
        (judging.PENDING, [judged(0.1, judging.PENDING, sd=None)], "Too few seeds yet."),
        (judging.PENDING, [judging.Judgement("a", "b", (), ())], "Not run yet on the seeds that judge."),
    ]
    for verdict, judgements, expected in cases:
        assert tables.sentence(finding, verdict, judgements) == expected


def test_small_figures_keep_two_digits():
    one = judging.Judgement("a", "b", (3, 4), (0.0, 0.1), 0.00213, 0.00281, -0.0039, 0.0082)
    assert tables.difference(one, False) == "+0.0021 (-0.0039 to +0.0082), SD 0.0028, 2 seeds"


def test_new_seeds_take_the_pilots_place_in_the_leaderboard_at_the_first_look():
    both = {stem: [*group, *new_seeds()[stem]] for stem, group in found().items()}
    assert tables.leaderboard(both) == tables.leaderboard(new_seeds())
    assert tables.pilot_leaderboard(both) == tables.leaderboard(found())
    fewer = {stem: group[:-1] for stem, group in both.items()}
    assert tables.leaderboard(fewer) == tables.leaderboard(found())
    assert tables.leaderboard({stem: group[3:] for stem, group in fewer.items()}).count("| 3 |") == 3


def test_associations_table():
    first, *_ = tables.associations(found()).splitlines()[2:]
    claim = "The sooner the overfit check is down to 0, the larger the gap (running training accuracy)."
    count = sum(len(step.runs) for step in study.STEPS)
    assert first == f"| {claim} | **not judged yet** | 0 of {count} runs |"


def test_finding_without_results_is_not_judged_yet():
    (line,) = [line for line in tables.findings(found()).splitlines() if "reaches 0.60" in line]
    assert "| **not judged yet** | not judged |" in line
    assert line.endswith("| test accuracy:<br>not run yet |")


def test_about_names_machine_data_and_hours():
    text = " ".join(tables.about(found()).split())
    # 9 trainings of 1.5 minutes are 0.225 hours.
    assert text.startswith(
        "3 runs, 9 trainings, 0.2 hours of training in all, each on SOME CPU, 1 thread, torch 2.13.0, float32. "
        "Data: fer2013.csv (25,838 train, 3,589 test images)."
    )


def test_synthetic_results_say_so():
    synthetic = found()
    for group in synthetic.values():
        for one in group:
            one["data"]["synthetic"] = True
    assert tables.about(synthetic).startswith("SYNTHETIC FACES, not FER-2013")


def test_frame_has_a_row_for_each_run_and_seed():
    frame = tables.frame(found())
    assert list(frame.columns[:4]) == ["run", "step", "parameters", "seed"]
    for row in tables.rows(found()):
        mine = frame[frame["run"] == row["name"]]
        assert list(mine["seed"]) == row["seeds"]
        assert list(mine["val_acc"]) == row["figures"]["val_acc"]
