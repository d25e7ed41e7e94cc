"""Published macro AUCs on PTB-XL's fold 10 at 100 Hz, after training on folds 1-8 and choosing on fold 9.

Source: Strodthoff et al. 2021 (doi:10.1109/JBHI.2020.3022989) as listed by github.com/helme/ecg_ptbxl_benchmarking.
"""

NETWORKS = ("xresnet1d101", "resnet1d_wang", "inception1d")
MACRO_AUC = {
    "superdiagnostic": (0.928, 0.930, 0.921),
    "subdiagnostic": (0.929, 0.928, 0.930),
    "diagnostic": (0.937, 0.936, 0.931),
    "form": (0.896, 0.880, 0.899),
    "rhythm": (0.957, 0.946, 0.953),
    "all": (0.925, 0.919, 0.925),
}
