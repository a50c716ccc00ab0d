r"""What a model is worth, in numbers: array-in, number-out cores, and the row that explains each figure to a reader.

Importing this package loads nothing heavy. The cores are in `disentanglement`, `leakage`, `coherence`, `likelihood`,
`clusters` and `frechet`; `codes` has what they share, and the reference code that scores are shown beside.
"""

from __future__ import annotations

__all__ = ["ALL_SPLITS", "METRICS", "Metric"]

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure as a reader meets it in a table.

    Arguments:
        name: The key in results, such as ``"mig"``.
        title: The column's head.
        explanation: What it says, in one line.
        formula: LaTeX, without delimiters.
        source: Paper and arXiv number or venue; "this project" where it is ours.
        better: ``"higher"``, ``"lower"`` or ``"neither"``.
        unit: Such as ``"nats"``; empty for a plain share or score. ``"factor"`` stands for the unit of the factor.
        range: Least and greatest value; None for unbounded.
        against: What to read it against: what a perfect model scores, or the figure shown beside it.
        beside: What the figure shown beside it is called; empty where there is none.
    """

    name: str
    title: str
    explanation: str
    formula: str
    source: str
    better: str
    unit: str
    range: tuple[float | None, float | None]
    against: str
    beside: str = ""


#: In the note of a figure that is not of the test split alone.
ALL_SPLITS = "pairs of all splits"

CHEN = "Chen et al. 2018, arXiv:1802.04942"
EASTWOOD = "Eastwood & Williams 2018, ICLR"
RIDGEWAY = "Ridgeway & Mozer 2018, arXiv:1802.05312"
SHI = "Shi et al. 2019, arXiv:1911.03393"
#: A code that found the factors and nothing else, a class as a point in several dimensions: good, and not the best of all.
REFERENCE, CODE = "the reference code of the same items, no bound, shown beside the score", "reference code"
READER, OWN = "the reader's accuracy on real images", "reader's own"

METRICS: dict[str, Metric] = {
    row.name: row
    for row in (
        Metric(
            "elbo",
            "ELBO",
            "The evidence lower bound of a pair: how well it is rebuilt, minus what its code costs.",
            r"\mathbb{E}_{q(z|x)}[\log p(x|z)] - \mathrm{KL}(q(z|x) \,\|\, p(z))",
            "Kingma & Welling 2014, arXiv:1312.6114",
            "higher",
            "nats",
            (None, None),
            "the log-likelihood; comparable only under the same likelihoods and weights",
        ),
        Metric(
            "reconstruction",
            "Reconstruction error",
            "Mean squared difference of a pixel and its reconstruction from the posterior mean.",
            r"\frac{1}{D} \sum_d (x_d - \hat x_d)^2",
            "standard",
            "lower",
            "",
            (0.0, 1.0),
            "0",
        ),
        Metric(
            "kl",
            "KL",
            "What a block tells of an item beyond the prior; about 0 nats is a dead block or dimension. Where prior or posterior is a mixture, an upper bound.",
            r"\mathrm{KL}(q(z|x) \,\|\, p(z))",
            "Kingma & Welling 2014, arXiv:1312.6114",
            "neither",
            "nats",
            (0.0, None),
            "none",
        ),
        Metric(
            "log_likelihood",
            "Log-likelihood",
            "Importance-weighted estimate of how likely the model finds a held-out pair, with K samples.",
            r"\log \frac{1}{K} \sum_{k=1}^{K} \frac{p(x, z_k)}{q(z_k | x)}, \quad z_k \sim q(z | x)",
            "Burda et al. 2016, arXiv:1509.00519",
            "higher",
            "nats",
            (None, None),
            "unknown; rises with K, so compare at one K. A Bernoulli likelihood of grey pixels is a cross-entropy and no density: it is at most minus the pixels' "
            "own entropy, −2,540 nats for a pair of faces, −1,852 for one of MNIST–SVHN",
        ),
        Metric(
            "bits_per_dim",
            "Bits per dimension",
            "The negative log-likelihood in bits, per number of an image.",
            r"-\frac{\log p(x)}{D \ln 2} + \log_2 L",
            "Theis et al. 2016, arXiv:1511.01844",
            "lower",
            "bits",
            (None, None),
            "unknown",
        ),
        Metric(
            "cross_coherence",
            "Cross-coherence",
            "Share of translated images in which a reader sees the class of the image they came from.",
            r"\frac{1}{N} \sum_i [\, c(\hat x^{(2)}_i) = y_i \,], \quad \hat x^{(2)}_i = \mathbb{E}\, p(\cdot | z_i),\ z_i \sim q(z|x_i)",
            SHI,
            "higher",
            "",
            (0.0, 1.0),
            READER,
            OWN,
        ),
        Metric(
            "blurred_coherence",
            "Cross-coherence through a blur",
            "The same after a blur as wide as a sixteenth of the image: what is left of it is drawn in strokes that people see, and not in a texture "
            "that a network happens to respond to.",
            r"\frac{1}{N} \sum_i [\, c(G_\sigma * \hat x^{(2)}_i) = y_i \,], \quad \sigma = \text{side} / 16",
            "this project",
            "higher",
            "",
            (0.0, 1.0),
            "what the reader sees of the real images through the same blur",
            "real images",
        ),
        Metric(
            "joint_coherence",
            "Joint coherence",
            "Share of pairs drawn from the prior whose two images show the same class, as readers see them.",
            r"\frac{1}{N} \sum_i [\, c_1(\hat x^{(1)}_i) = c_2(\hat x^{(2)}_i) \,], \quad z_i \sim p(z)",
            SHI,
            "higher",
            "",
            (0.0, 1.0),
            "the product of both readers' accuracies on real images, about",
            "readers' own",
        ),
        Metric(
            "preserved_error",
            "Preserved-factor error",
            "Mean absolute error of a factor that a translation should keep, as a reader sees it.",
            r"\frac{1}{N} \sum_i | r(\hat x_i) - v_i |",
            "this project",
            "lower",
            "factor",
            (0.0, None),
            "the reader's error on real images",
            OWN,
        ),
        Metric(
            "preserved_within",
            "Kept within a step",
            "Share of translated images whose factor is read at most one grid step off.",
            r"\frac{1}{N} \sum_i [\, | r(\hat x_i) - v_i | \le \Delta \,]",
            "this project",
            "higher",
            "",
            (0.0, 1.0),
            "the reader's share on real images",
            OWN,
        ),
        Metric(
            "swap_error",
            "Swap error",
            "Mean squared error, on [0, 1], of a pair drawn with another pair's private codes, against the true pictures of that combination. It "
            "sees what leakage does not: a private code that says something shared only together with the shared code.",
            r"\frac{1}{ND} \sum_i \big\| \hat x_m(z_S^{(i)}, z_m^{(j)}) - x_m(s_i, p_j) \big\|^2, \quad j = \pi(i)",
            "this project",
            "lower",
            "",
            (0.0, None),
            "the error of the same pictures drawn from their own codes",
            "own codes",
        ),
        Metric(
            "identity_kept",
            "Identity kept",
            "Share of translated images in which a reader sees the identity of the image they came from.",
            r"\frac{1}{N} \sum_i [\, c(\hat x_i) = y_i \,]",
            "this project",
            "higher",
            "",
            (0.0, 1.0),
            READER,
            OWN,
        ),
        Metric(
            "leakage_r2",
            "Leakage, ordered factor",
            "Share of a factor's variance that boosted trees read from a block, on items held out in five folds.",
            r"1 - \frac{\sum_i (v_i - \hat v_i)^2}{\sum_i (v_i - \bar v)^2}",
            "this project",
            "neither",
            "",
            (None, 1.0),
            "1 in the block that owns the factor, 0 elsewhere",
        ),
        Metric(
            "leakage_accuracy",
            "Leakage, class",
            "How well a class is read from a block on items held out in five folds, where 0 is naming the commonest class.",
            r"\frac{a - c}{1 - c}, \qquad c = \max_k n_k / n",
            "this project",
            "neither",
            "",
            (None, 1.0),
            "1 in the block that owns the factor, 0 elsewhere",
        ),
        Metric(
            "mig",
            "MIG",
            "How much more the best dimension knows of a factor than the second best.",
            r"\frac{1}{F} \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}",
            CHEN,
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "dci_disentanglement",
            "DCI disentanglement",
            "Whether each dimension is used to read one factor only.",
            r"\sum_i \rho_i \, (1 - H_F(P_{i \cdot}))",
            EASTWOOD,
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "dci_completeness",
            "DCI completeness",
            "Whether each factor is read from one dimension only.",
            r"\frac{1}{F} \sum_j (1 - H_D(\tilde P_{\cdot j}))",
            EASTWOOD,
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "dci_informativeness",
            "DCI informativeness",
            "How well tree ensembles read the factors from the whole code, on held-out items.",
            r"\frac{1}{F} \sum_j R^2_j \ \text{or}\ \frac{a_j - c_j}{1 - c_j}",
            EASTWOOD,
            "higher",
            "",
            (None, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "sap",
            "SAP",
            "How much better the best single dimension predicts a factor than the second best.",
            r"\frac{1}{F} \sum_k ( S_{(1)k} - S_{(2)k} )",
            "Kumar et al. 2018, arXiv:1711.00848",
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "factor_vae",
            "FactorVAE vote",
            "Whether the dimension that stands still tells which factor is fixed.",
            r"\frac{1}{V} \sum_v [\, m(\arg\min_i \mathrm{Var}_v(z_i) / \mathrm{Var}(z_i)) = k_v \,]",
            "Kim & Mnih 2018, arXiv:1802.05983",
            "higher",
            "",
            (0.0, 1.0),
            "1; guessing scores 1/F",
        ),
        Metric(
            "modularity",
            "Modularity",
            "Whether each informative dimension informs of one factor only.",
            r"\frac{1}{|A|} \sum_{i \in A} \left( 1 - \frac{\sum_{k \neq k^*} I_{ik}^2}{(F-1)\, I_{ik^*}^2} \right), \quad I_{ik} = I(z_i; v_k) - I(z_i; \text{shuffled } v_k)",
            RIDGEWAY,
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE,
            CODE,
        ),
        Metric(
            "explicitness",
            "Explicitness",
            "Whether a linear classifier tells each value of a factor from the others.",
            r"\frac{1}{F} \sum_k \frac{1}{|V_k|} \sum_{v \in V_k} \mathrm{AUC}(v \text{ against the rest})",
            RIDGEWAY,
            "higher",
            "",
            (0.0, 1.0),
            REFERENCE + "; guessing scores 0.5",
            CODE,
        ),
        Metric(
            "irs",
            "IRS",
            "How little a dimension moves when its own factor is fixed and the others change, above what shuffled labels give.",
            r"\sum_i w_i \max_k \frac{s(z_i, v_k) - s(z_i, \text{shuffled } v_k)}{1 - s(z_i, \text{shuffled } v_k)}, \quad "
            r"s(z_i, v_k) = 1 - \frac{\mathbb{E}_{v_k} [q(|z_i - \mathbb{E}[z_i|v_k]|)]}{q(|z_i - \mathbb{E}[z_i]|)}",
            "Suter et al. 2019, arXiv:1811.00007",
            "higher",
            "",
            (0.0, 1.0),
            "0 for pure noise; 1 where each dimension has one ordered factor. Dimensions that hold identity, or nothing, weigh too: the reference code of the "
            "faces in 9 dimensions scores .25",
        ),
        Metric(
            "linear_probe",
            "Linear probe",
            "Accuracy of logistic regression from a block to a class, on items held out in five folds, copies of a picture together.",
            r"\frac{1}{N} \sum_i [\, \hat y_i = y_i \,]",
            "Alain & Bengio 2016, arXiv:1610.01644",
            "higher",
            "",
            (0.0, 1.0),
            "1; guessing scores the share of the commonest class",
        ),
        Metric(
            "knn_accuracy",
            "Neighbour accuracy",
            "Share of held-out items whose class is that of most of their ten nearest codes.",
            r"\frac{1}{N} \sum_i [\, \mathrm{maj}_{j \in \mathrm{NN}_{10}(i)}\, y_j = y_i \,]",
            "standard",
            "higher",
            "",
            (0.0, 1.0),
            "1 where nothing but the class moves the code; guessing scores the share of the commonest class",
        ),
        Metric(
            "silhouette",
            "Silhouette",
            "How much nearer an item is to its own class than to the next one.",
            r"\frac{1}{N} \sum_i \frac{b_i - a_i}{\max(a_i, b_i)}",
            "Rousseeuw 1987, J. Comput. Appl. Math. 20",
            "higher",
            "",
            (-1.0, 1.0),
            "1 for a single point per class",
        ),
        Metric(
            "modality_gap",
            "Modality gap",
            "Distance of the two modalities' codes of a pair, relative to that of codes of different pairs.",
            r"\frac{\mathbb{E}_i \lVert a_i - b_i \rVert}{\mathbb{E}_{i \neq j} \lVert a_i - b_j \rVert}",
            "this project, after Liang et al. 2022, arXiv:2203.02053",
            "lower",
            "",
            (0.0, None),
            "0; unrelated codes score 1",
        ),
        Metric(
            "trustworthiness",
            "Trustworthiness",
            "Whether neighbours on the map are neighbours in the latent space.",
            r"1 - \frac{2}{Nk(2N-3k-1)} \sum_i \sum_{j \in U_k(i)} \max(0, r(i,j) - k)",
            "Venna & Kaski 2001, ICANN",
            "higher",
            "",
            (0.0, 1.0),
            "1; a random map scores about 0.5",
        ),
        Metric(
            "knn_recall",
            "Neighbour recall",
            "Share of an item's ten nearest codes that are among its ten nearest on the map.",
            r"\frac{1}{Nk} \sum_i | \mathrm{NN}_k(i) \cap \mathrm{NN}^{map}_k(i) |",
            "standard",
            "higher",
            "",
            (0.0, 1.0),
            "1; a random map scores k/(N − 1)",
        ),
        Metric(
            "frechet",
            "Fréchet distance",
            "Distance of real and generated images in the features of our own reader; not comparable with a published FID.",
            r"\lVert \mu_1 - \mu_2 \rVert^2 + \mathrm{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})",
            "Heusel et al. 2017, arXiv:1706.08500",
            "lower",
            "",
            (0.0, None),
            "the distance of as many training images from the same test images",
            "floor",
        ),
    )
}
