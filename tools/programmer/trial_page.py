"""A trial as a page of `tools.programmer.html_page`: verdict, picture, doses, scores, plan."""

from tools.programmer import html_page, trial_svg, trial_text
from tools.programmer.report_settings import Section
from tools.programmer.trial_visit import Visit

_LEGEND = (
    "Full: counts for the dose under it. Hollow: the baseline, or not at a dose of the trial. "
    "Red: with a side effect. Dashed: a mean of this or less is a success."
)


def page(visit: Visit) -> str:
    """Return the whole page of a trial with at least one score."""
    course = visit.course
    body = [
        html_page.table(Section("", (), trial_text.state(visit), "")),
        trial_svg.picture(course, visit.seen),
        f"<p>{_LEGEND}</p>",
        html_page.section(Section("Doses", trial_text.STEP_HEAD, trial_text.steps(course), "none")),
        html_page.section(Section("Scores", trial_text.SCORE_HEAD, trial_text.scores(course), "")),
        html_page.section(Section("Plan and sources", (), trial_text.terms(course), "none yet")),
    ]
    return html_page.page(f"Trial, pump {visit.device.serial}", body)
