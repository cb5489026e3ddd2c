//! Cholesky factorisation of the posterior's precision, and the solves it is needed for.
//!
//! Guarantees: the factor is lower triangular with a positive diagonal, or there is none.
//!
//! Cost: n³/6 multiply-adds in blocks that stay in cache; the inner kernel is written so that the compiler vectorises it
//! without reassociating sums. Source: Golub and Van Loan, Matrix Computations, section 4.2.6 (block Cholesky).

/// Columns factored at a time: a block and a chunk of its panel fit the first-level cache.
const BLOCK: usize = 64;
/// Rows and columns of the register tile of the trailing update; sizes are padded to multiples of both.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 4;
const PAD: usize = 8;

/// The matrix is not positive definite, or not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("precision matrix is not positive definite at weight {at}")]
pub struct NotPositive {
    /// Row of the failing pivot.
    pub at: usize,
}

/// A symmetric matrix of which only the lower triangle counts, row by row.
#[derive(Debug, Clone)]
pub struct Symmetric {
    n: usize,
    stride: usize,
    rows: Vec<f64>,
}

impl Symmetric {
    /// A zero matrix of size `n`.
    pub fn new(n: usize) -> Symmetric {
        let stride = n.next_multiple_of(PAD);
        Symmetric { n, stride, rows: vec![0.0; stride * stride] }
    }

    /// Sets every entry to zero.
    pub fn clear(&mut self) {
        self.rows.fill(0.0);
    }

    /// Adds to the entry at `row`, `column`, where `column <= row`.
    #[inline]
    pub fn add(&mut self, row: usize, column: usize, value: f64) {
        debug_assert!(column <= row, "INVARIANT: only the lower triangle is kept");
        self.rows[row * self.stride + column] += value;
    }

    /// The entry at `row`, `column`, where `column <= row`.
    #[inline]
    pub fn get(&self, row: usize, column: usize) -> f64 {
        self.rows[row * self.stride + column]
    }

    /// The lower factor `L` with `L Lᵀ = self`.
    ///
    /// # Errors
    /// [`NotPositive`] when a pivot is not a positive finite number.
    pub fn factor(mut self) -> Result<Factor, NotPositive> {
        let (n, stride) = (self.stride, self.stride);
        for padded in self.n..n {
            self.rows[padded * stride + padded] = 1.0;
        }
        let mut panel = vec![0.0; BLOCK * stride];
        for start in (0..n).step_by(BLOCK) {
            let width = BLOCK.min(n - start);
            factor_block(&mut self.rows, stride, start, width)?;
            let below = start + width;
            if below < n {
                solve_panel(&mut self.rows, stride, start, width, &mut panel);
                update_trailing(&mut self.rows, stride, below, width, &panel);
            }
        }
        Ok(Factor { n: self.n, stride, rows: self.rows })
    }
}

/// Factors the diagonal block in place.
fn factor_block(rows: &mut [f64], stride: usize, start: usize, width: usize) -> Result<(), NotPositive> {
    for j in start..start + width {
        for i in j..start + width {
            let (upper, lower) = (&rows[j * stride + start..j * stride + j], &rows[i * stride + start..]);
            let dot: f64 = upper.iter().zip(lower).map(|(a, b)| a * b).sum();
            rows[i * stride + j] -= dot;
        }
        let pivot = rows[j * stride + j];
        if !(pivot.is_finite() && pivot > 0.0) {
            return Err(NotPositive { at: j });
        }
        let root = pivot.sqrt();
        rows[j * stride + j] = root;
        for i in j + 1..start + width {
            rows[i * stride + j] /= root;
        }
    }
    Ok(())
}

/// Solves for the rows below the diagonal block. Leaves them in `rows` and, transposed, in `panel` (column-major).
fn solve_panel(rows: &mut [f64], stride: usize, start: usize, width: usize, panel: &mut [f64]) {
    let below = start + width;
    for i in below..stride {
        for j in 0..width {
            panel[j * stride + i] = rows[i * stride + start + j];
        }
    }
    for chunk in (below..stride).step_by(BLOCK) {
        let end = (chunk + BLOCK).min(stride);
        for j in 0..width {
            let (done, rest) = panel.split_at_mut(j * stride);
            let column = &mut rest[chunk..end];
            let factors = &rows[(start + j) * stride + start..];
            for (t, factor) in factors.iter().enumerate().take(j) {
                let solved = &done[t * stride + chunk..t * stride + end];
                for (value, other) in column.iter_mut().zip(solved) {
                    *value -= factor * other;
                }
            }
            let inverse = 1.0 / factors[j];
            for value in column.iter_mut() {
                *value *= inverse;
            }
        }
    }
    for i in below..stride {
        for j in 0..width {
            rows[i * stride + start + j] = panel[j * stride + i];
        }
    }
}

/// Subtracts the panel's outer product from the lower triangle that is still to be factored.
fn update_trailing(rows: &mut [f64], stride: usize, below: usize, width: usize, panel: &[f64]) {
    for i in (below..stride).step_by(TILE_ROWS) {
        for j in (below..i + TILE_ROWS).step_by(TILE_COLUMNS) {
            let tile = outer_product_tile(panel, stride, i, j, width);
            for (r, tile_row) in tile.iter().enumerate() {
                let at = (i + r) * stride + j;
                for (value, sum) in rows[at..at + TILE_COLUMNS].iter_mut().zip(tile_row) {
                    *value -= sum;
                }
            }
        }
    }
}

#[inline]
fn outer_product_tile(
    panel: &[f64],
    stride: usize,
    i: usize,
    j: usize,
    width: usize,
) -> [[f64; TILE_COLUMNS]; TILE_ROWS] {
    let mut tile = [[0.0; TILE_COLUMNS]; TILE_ROWS];
    for column in panel.chunks_exact(stride).take(width) {
        let (left, right) = (&column[i..i + TILE_ROWS], &column[j..j + TILE_COLUMNS]);
        for r in 0..TILE_ROWS {
            for c in 0..TILE_COLUMNS {
                tile[r][c] += left[r] * right[c];
            }
        }
    }
    tile
}

/// A lower triangular factor.
#[derive(Debug, Clone)]
pub struct Factor {
    n: usize,
    stride: usize,
    rows: Vec<f64>,
}

impl Factor {
    /// The part of a row that counts: entries `0..=row`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.rows[row * self.stride..row * self.stride + row + 1]
    }

    /// Solves `L Lᵀ x = b` in place.
    pub fn solve(&self, b: &mut [f64]) {
        for i in 0..self.n {
            let row = self.row(i);
            let dot: f64 = row[..i].iter().zip(&b[..i]).map(|(a, x)| a * x).sum();
            b[i] = (b[i] - dot) / row[i];
        }
        self.solve_transposed(b, 1);
    }

    /// Solves `Lᵀ X = B` in place for `count` right-hand sides; `b` holds them row by row (`n` rows of `count`).
    pub fn solve_transposed(&self, b: &mut [f64], count: usize) {
        for i in (0..self.n).rev() {
            let row = self.row(i);
            let (above, rest) = b.split_at_mut(i * count);
            let solved = &mut rest[..count];
            let inverse = 1.0 / row[i];
            for value in solved.iter_mut() {
                *value *= inverse;
            }
            for (target, factor) in above.chunks_exact_mut(count).zip(row) {
                if *factor != 0.0 {
                    for (value, x) in target.iter_mut().zip(solved.iter()) {
                        *value -= factor * x;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A positive definite matrix with structure: a random-ish Gram matrix plus a diagonal.
    fn sample(n: usize) -> Symmetric {
        let mut matrix = Symmetric::new(n);
        let entry = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 1000) as f64 / 1000.0 - 0.5;
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..12).map(|k| entry(i, k) * entry(j, k)).sum();
                matrix.add(i, j, dot + if i == j { 0.7 } else { 0.0 });
            }
        }
        matrix
    }

    #[test]
    fn the_factor_multiplies_back_to_the_matrix() {
        for n in [1, 2, 7, 8, 9, 63, 64, 65, 130, 203] {
            let matrix = sample(n);
            let factor = matrix.clone().factor().unwrap();
            for i in 0..n {
                for j in 0..=i {
                    let product: f64 = factor.row(i).iter().zip(factor.row(j)).map(|(a, b)| a * b).sum();
                    assert!((product - matrix.get(i, j)).abs() < 1e-10, "n {n} at {i},{j}");
                }
            }
        }
    }

    #[test]
    fn solving_undoes_multiplying() {
        let n = 75;
        let matrix = sample(n);
        let wanted: Vec<f64> = (0..n).map(|i| i as f64 - 30.0).collect();
        let at = |i: usize, j: usize| matrix.get(i.max(j), i.min(j));
        let mut b: Vec<f64> = (0..n).map(|i| (0..n).map(|j| at(i, j) * wanted[j]).sum()).collect();
        matrix.clone().factor().unwrap().solve(&mut b);
        for (found, wanted) in b.iter().zip(&wanted) {
            assert!((found - wanted).abs() < 1e-8);
        }
    }

    #[test]
    fn indefinite_and_infinite_matrices_have_no_factor() {
        let mut matrix = sample(20);
        matrix.add(15, 15, -50.0);
        assert_eq!(matrix.factor().unwrap_err().at, 15);
        let mut matrix = sample(5);
        matrix.add(2, 1, f64::NAN);
        assert_eq!(matrix.factor().unwrap_err().at, 2);
    }
}
