"""The TRIPOD+AI checklist, filled in from what a study knows of itself and marked where only its authors can write.

Items and their numbers: Collins GS et al. TRIPOD+AI statement. BMJ 2024;385:e078378, doi:10.1136/bmj-2023-078378. What each
asks for is said here in our own words; the published wording is the one to follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CITATION = (
    "Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement: updated guidance for reporting clinical prediction models "
    "that use regression or machine learning methods. BMJ 2024;385:e078378. doi:10.1136/bmj-2023-078378"
)


@dataclass(frozen=True)
class Item:
    """One item: its number, the part of a paper it belongs to, what it asks for, and what is known; "" if nothing."""

    number: str
    part: str
    asks: str
    known: str = ""

    @property
    def for_authors(self) -> bool:
        return not self.known


ASKED: tuple[tuple[str, str, str], ...] = (
    ("1", "Title", "Says that a prediction model is developed or evaluated, for whom and for what outcome"),
    ("2", "Abstract", "A structured summary, by the checklist for abstracts"),
    ("3a", "Introduction", "The medical setting, why a model is wanted, and which there are already"),
    ("3b", "Introduction", "Who it is for, where in care it would be used, and by whom"),
    ("3c", "Introduction", "Known health inequalities between groups of people"),
    ("4", "Introduction", "The aims; whether a model is developed, evaluated or both"),
    (
        "5a",
        "Methods: data",
        "Where the data for training and for evaluation come from, and how well they represent patients",
    ),
    ("5b", "Methods: data", "The dates of recruitment, and of follow-up if any"),
    ("6a", "Methods: participants", "The places: kind of care, number and location of centres"),
    ("6b", "Methods: participants", "Who was eligible"),
    ("6c", "Methods: participants", "Treatments, and how they were dealt with, if they matter"),
    ("7", "Methods: preparation", "How data were prepared and checked, and whether alike in all groups of people"),
    ("8a", "Methods: outcome", "What is predicted, how and when it was determined, and why that was chosen"),
    ("8b", "Methods: outcome", "Who judged the outcome where judging takes skill, and their training"),
    ("8c", "Methods: outcome", "Whether the outcome was judged without knowledge of the predictors"),
    ("9a", "Methods: predictors", "Which predictors were considered, and why those"),
    ("9b", "Methods: predictors", "What each predictor is, and how and when it was measured"),
    ("9c", "Methods: predictors", "Who judged predictors where judging takes skill, and their training"),
    ("10", "Methods: sample size", "How the number of participants came about, and whether it suffices"),
    ("11", "Methods: missing data", "What was missing and what was done about it"),
    ("12a", "Methods: analysis", "Which data trained and which evaluated, and how they were divided"),
    ("12b", "Methods: analysis", "How predictors were transformed or scaled"),
    ("12c", "Methods: analysis", "Kind of model, every step of building it, choice of settings, internal validation"),
    ("12d", "Methods: analysis", "Whether and how differences between places or clusters were dealt with"),
    ("12e", "Methods: analysis", "All measures of performance, and how models were compared"),
    ("12f", "Methods: analysis", "Whether models were updated after evaluation"),
    ("12g", "Methods: analysis", "For evaluation: how predictions were calculated"),
    ("13", "Methods: imbalance", "Whether and how class imbalance was handled, and recalibration after it"),
    ("14", "Methods: fairness", "What was done about fairness between groups, and why"),
    ("15", "Methods: output", "What the model gives out, and how thresholds were chosen"),
    (
        "16",
        "Methods: differences",
        "Differences between training and evaluation data in setting, eligibility, outcome, predictors",
    ),
    ("17", "Methods: ethics", "Who approved the study, and consent or its waiver"),
    ("18a", "Open science", "Funding and what the funders did"),
    ("18b", "Open science", "Conflicts of interest"),
    ("18c", "Open science", "Where the protocol can be read, or that there is none"),
    ("18d", "Open science", "Where the study is registered, or that it is not"),
    ("18e", "Open science", "Whether and where the data can be had"),
    ("18f", "Open science", "Whether and where the code can be had"),
    ("19", "Involvement", "How patients and the public took part, or that they did not"),
    ("20a", "Results: participants", "How participants came through the study, how many had the outcome"),
    ("20b", "Results: participants", "What the participants are like, and what is missing, overall and by setting"),
    ("20c", "Results: participants", "For evaluation: how they differ from those the model was developed on"),
    ("21", "Results: development", "Numbers of participants and outcomes in each analysis"),
    ("22", "Results: specification", "The whole model, so that others can use it"),
    ("23a", "Results: performance", "Performance with intervals, in important subgroups too"),
    ("23b", "Results: performance", "Differences in performance between clusters, if they were examined"),
    ("24", "Results: updating", "Results of updating a model, if it was updated"),
    ("25", "Discussion", "What the results mean in view of the aims, earlier studies and fairness"),
    ("26", "Discussion", "Limitations: representativeness, sample size, overfitting, missing data"),
    ("27a", "Discussion: use", "How poor or missing input is to be handled when the model is used"),
    ("27b", "Discussion: use", "Whether users must handle input or output, and what expertise that takes"),
    ("27c", "Discussion: use", "What has to be done next, and how far the results carry"),
)


def checklist(known: Mapping[str, str]) -> tuple[Item, ...]:
    """All items, each with what is known of it by its number."""
    return tuple(Item(number, part, asks, known.get(number, "")) for number, part, asks in ASKED)
