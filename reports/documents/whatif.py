"""What `loaderbench whatif` says: predictions, the workers that feed a step, and how well predictions matched."""

import math
from collections.abc import Iterator
from dataclasses import asdict

import pandas as pd

from loaderbench.reports.documents.document import ON_PAPER, Cell, Code, Column, Document, Figure, Section, Table, Text
from loaderbench.reports.documents.provenance import machine_words
from loaderbench.reports.explain.prediction import FED, MOST_WORKERS_PER_CPU
from loaderbench.reports.explain.whatif_record import HeldOutPass, Prediction, WhatIf, WorkersNeeded
from loaderbench.reports.figures import predictions as figures
